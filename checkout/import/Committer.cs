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
    /// Completes the pack with the commit, makes everything durable with one sync, then names the pack, then sets the ref: at no
    /// instant can a commit be read, or does a ref name one, of which a power cut could take a part away. Answers the commit's digest.
    /// </summary>
    public static Digest Run(ObjectStore store, PackWriter pack, ImportResult tree, CommitRequest request)
    {
        // Two commits to one ref take turns here, so that the second one becomes the child of the first.
        using IDisposable turn = store.Refs.TakeTurn();
        Digest parent = request.Parent.IsNone ? store.Refs.Find(request.Ref) : request.Parent;
        var commit = new Commit
        {
            Tree = tree.Tree,
            RootMetadata = tree.RootMetadata,
            RootXattrs = tree.RootXattrs,
            Parents = parent.IsNone ? [] : [parent],
            Time = request.Time,
            Files = tree.Files,
            ContentBytes = tree.ContentBytes,
            Subject = request.Subject,
            Body = request.Body,
            Annotations = request.Annotations,
        };
        byte[] bytes = commit.Encode();
        Digest digest = Commit.DigestOf(bytes);
        pack.Add(PackedKind.Commit, digest, bytes);
        store.Publish(pack);

        // As late as can be: what is written to an object through its other name must not be what a ref names.
        request.Consumed?.RequireUnchanged(tree);
        store.Refs.Set(request.Ref, digest, $"commit: {request.Subject}");
        return digest;
    }
}
