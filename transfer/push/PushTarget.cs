using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// A place that commits are pushed to. Each kind is one class: <see cref="RemoteTarget"/>, <see cref="StoreTarget"/> and <see cref="LinkTarget"/>.
/// </summary>
public abstract class PushTarget : IDisposable
{
    /// <summary>The place, for messages.</summary>
    public abstract string Subject { get; }

    /// <summary>The number of requests so far.</summary>
    public abstract long Requests { get; }

    /// <summary>The number of bytes of content that went so far.</summary>
    public abstract long Bytes { get; }

    /// <summary>
    /// Pushes a ref. Throws <see cref="StoreException"/> if there is no such ref, or if the place's ref names a commit that is no ancestor.
    /// </summary>
    public abstract PushResult Push(ObjectStore store, PushRequest request);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>Pushes to a registry or an image layout. The remote is closed with this target.</summary>
public sealed class RemoteTarget(Remote remote) : PushTarget
{
    /// <inheritdoc/>
    public override string Subject => remote.Subject;

    /// <inheritdoc/>
    public override long Requests => remote.Requests;

    /// <inheritdoc/>
    public override long Bytes => remote.Bytes;

    /// <inheritdoc/>
    public override PushResult Push(ObjectStore store, PushRequest request) => Transfer.Push.Run(store, remote, request);

    /// <inheritdoc/>
    public override void Dispose()
    {
        remote.Dispose();
        base.Dispose();
    }
}
