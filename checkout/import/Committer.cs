using System.Collections.Immutable;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Describes a commit to make, except its tree.</summary>
public sealed record CommitRequest
{
    /// <summary>The ref that will name the commit.</summary>
    public required string Ref { get; init; }

    /// <summary>The parent. If none is given, the commit that the ref names becomes the parent.</summary>
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
    /// Publishes the tree with a commit, sets the ref to the commit, and returns the commit's digest. <see cref="Additions"/> has the
    /// steps.
    /// </summary>
    public static Digest Run(Additions additions, ImportResult tree, CommitRequest request)
    {
        var commit = new Commit
        {
            Tree = tree.Tree,
            RootMetadata = tree.RootMetadata,
            RootXattrs = tree.RootXattrs,
            Time = request.Time,
            Files = tree.Files,
            ContentBytes = tree.ContentBytes,
            Subject = request.Subject,
            Body = request.Body,
            Annotations = request.Annotations,
        };
        PublishedCommit published = request.Parent.IsNone
            ? additions.PublishChild(request.Ref, commit)
            : additions.PublishCommit(request.Ref, commit.AsChildOf(request.Parent));

        // This check comes as late as possible, so that no ref names a commit with an object that was written to through its other name.
        request.Consumed?.RequireUnchanged(tree);
        return published.SetRef($"commit: {request.Subject}", made => request.Consumed?.NoteCommit(made));
    }
}
