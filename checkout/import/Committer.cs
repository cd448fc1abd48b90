using System.Collections.Immutable;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Describes a commit to make, except its tree.</summary>
public sealed record CommitRequest
{
    /// <summary>The ref that will name the commit; null for a commit that no ref names.</summary>
    public required string? Ref { get; init; }

    /// <summary>The parent. If none is given, the commit that the ref names becomes the parent, if there is a ref.</summary>
    public Digest Parent { get; init; }

    /// <summary>The subject, one line of text.</summary>
    public string Subject { get; init; } = "";

    /// <summary>Further text.</summary>
    public string Body { get; init; } = "";

    /// <summary>The annotations, by key.</summary>
    public ImmutableSortedDictionary<string, string> Annotations { get; init; } = Commit.NoAnnotations;

    /// <summary>The directory that the tree was read from, if the directory is consumed; otherwise null.</summary>
    public TreeConsume? Consumed { get; init; }

    /// <summary>The commit's time, in seconds since 1970.</summary>
    public required long Time { get; init; }
}

/// <summary>Turns an imported tree into a commit that a ref names.</summary>
public static class Committer
{
    /// <summary>
    /// Publishes the tree with a commit, sets the ref, if there is one, to the commit, and returns the commit's digest.
    /// <see cref="Additions"/> has the steps.
    /// </summary>
    public static Digest Run(Additions additions, ImportResult tree, CommitRequest request)
    {
        Commit commit = tree.AsCommit(request.Time) with { Subject = request.Subject, Body = request.Body, Annotations = request.Annotations };
        return Publish(additions, tree, commit, request);
    }

    /// <summary>Publishes the tree with a commit of it. Of the request, the message and the time are not used.</summary>
    internal static Digest Publish(Additions additions, ImportResult tree, Commit commit, CommitRequest request)
    {
        if (request.Ref is null)
        {
            return additions.PublishAlone(commit.AsChildOf(request.Parent));
        }

        PublishedCommit published = request.Parent.IsNone
            ? additions.PublishChild(request.Ref, commit)
            : additions.PublishCommit(request.Ref, commit.AsChildOf(request.Parent));

        // This check comes as late as possible, so that no ref names a commit with an object that was written to through its other name.
        request.Consumed?.RequireUnchanged(tree);
        return published.SetRef($"commit: {commit.Subject}", made => request.Consumed?.NoteCommit(made));
    }
}
