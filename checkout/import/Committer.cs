using System.Collections.Immutable;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>What a commit says beside its tree.</summary>
public sealed record CommitRequest
{
    /// <summary>The ref that will name the commit.</summary>
    public required string Ref { get; init; }

    /// <summary>The parent; none for the commit that the ref names now.</summary>
    public Digest Parent { get; init; }

    /// <summary>One line.</summary>
    public string Subject { get; init; } = "";

    /// <summary>More text.</summary>
    public string Body { get; init; } = "";

    /// <summary>Annotations.</summary>
    public ImmutableSortedDictionary<string, string> Annotations { get; init; } = Commit.NoAnnotations;

    /// <summary>The directory that the tree was read from, if it is consumed; else null.</summary>
    public TreeConsume? Consumed { get; init; }

    /// <summary>Seconds since 1970.</summary>
    public required long Time { get; init; }
}

/// <summary>Turns an imported tree into a commit that a ref names.</summary>
public static class Committer
{
    /// <summary>
    /// Publishes the tree with a commit, and lets the ref name the commit (<see cref="Additions"/> says in which steps). Answers the commit's digest.
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

        // As late as can be: what is written to an object through its other name must not be what a ref names.
        request.Consumed?.RequireUnchanged(tree);
        return published.SetRef($"commit: {request.Subject}");
    }
}
