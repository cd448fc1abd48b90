using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Pushes to another store on this machine, which pulls. The store is closed with this target.</summary>
public sealed class StoreTarget(ObjectStore into) : PushTarget
{
    /// <inheritdoc/>
    public override string Subject => into.Path;

    /// <inheritdoc/>
    public override long Requests => 0;

    /// <inheritdoc/>
    public override long Bytes => 0;

    /// <summary>Opens the store. Throws <see cref="StoreException"/> if it is the one that is pushed from, or may not be written to.</summary>
    public static StoreTarget Open(ObjectStore from, string path) => new(from.OpenOther(path, toWrite: true));

    /// <inheritdoc/>
    public override PushResult Push(ObjectStore store, PushRequest request)
    {
        Requirements.RequireNoRecord(Subject, request);
        Digest commit = request.CommitIn(store);
        Digest before = into.Refs.Find(request.Ref);
        Requirements.RequireDescendant(store, Subject, request, commit, before);
        using var source = new StoreSource(store);
        PullResult pulled = Pull.Run(into, source, PullRequest.OfPush(request.Ref, before) with { Progress = request.Progress });
        return new PushResult(request.Ref, pulled.Commit, pulled.Before) { Blobs = pulled.Blobs, RawBytes = pulled.RawBytes };
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        into.Dispose();
        base.Dispose();
    }
}
