using System.Globalization;
using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Pushes to a store on another machine, which pulls over the same link (transfer/FORMAT.md, section 9). The link is closed with this target.
/// </summary>
internal sealed class LinkTarget(SshProcess ssh) : PushTarget
{
    private readonly StoreLink link = ssh.Link;

    /// <inheritdoc/>
    public override string Subject => link.Subject;

    /// <inheritdoc/>
    public override long Requests => link.Requests;

    /// <inheritdoc/>
    public override long Bytes => link.Bytes;

    /// <inheritdoc/>
    public override PushResult Push(ObjectStore store, PushRequest request)
    {
        Requirements.RequireNoRecord(Subject, request);
        Digest commit = request.CommitIn(store), before = LinkSource.FindRef(link, request.Ref);
        Requirements.RequireDescendant(store, Subject, request, commit, before);
        if (before == commit && CommitSignatures.Find(store, commit).Count == 0)
        {
            return new PushResult(request.Ref, commit, commit);
        }

        link.Send($"push {before}", Encoding.UTF8.GetBytes(request.Ref));
        LinkMessage answer = new StoreServer(store, link) { Only = commit }.Run() ?? throw link.Ended();
        string[] counts = Encoding.UTF8.GetString(link.Read(link.Accept(answer), StoreLink.MaxText)).Split(' ');
        return counts is [var blobs, var bytes]
            && int.TryParse(blobs, NumberStyles.None, CultureInfo.InvariantCulture, out int blobCount)
            && long.TryParse(bytes, NumberStyles.None, CultureInfo.InvariantCulture, out long rawBytes)
                ? new PushResult(request.Ref, commit, before) { Blobs = blobCount, RawBytes = rawBytes }
                : throw link.Strange();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        ssh.Dispose();
        base.Dispose();
    }
}
