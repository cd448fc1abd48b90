using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>An OCI image layout in a tar archive. It can only be read, one blob at a time.</summary>
internal sealed class LayoutArchive(ArchiveFiles files, string subject) : Remote
{
    public override string Subject => subject;

    /// <summary>Whether an archive has an OCI image layout.</summary>
    internal static bool IsIn(ArchiveFiles files) => files.LengthOf(Layout.IndexName) >= 0;

    public override TagTarget? Find(string tag) => ReadIndex().Find(tag);

    public override TagTarget? FindUntagged() => ReadIndex().FindUntagged();

    public override IReadOnlyList<string> Tags() => ReadIndex().Tags();

    public override bool Has(Descriptor blob) => files.LengthOf(Layout.PathOf(blob.Digest)) == blob.Size;

    public override void Send(Descriptor blob, Stream content) => throw new NotSupportedException();

    public override void SetTags(byte[] manifest, Digest commit, IReadOnlyList<string> tags) => throw new NotSupportedException();

    protected internal override BlobPart OpenPart(Descriptor blob, long offset, long length)
    {
        string path = Layout.PathOf(blob.Digest);
        long there = files.LengthOf(path);
        return there == blob.Size ? new BlobPart(this, files.Open(path, offset, length), offset, offset + length)
            : throw Wrong(blob, there < 0 ? "it is missing there" : $"its file has {there} bytes instead of {blob.Size}");
    }

    public override void Dispose()
    {
        files.Dispose();
        base.Dispose();
    }

    private Layout ReadIndex()
    {
        long length = files.LengthOf(Layout.IndexName);
        byte[] bytes = new byte[length <= Layout.MaxLength ? length : 0];
        using (Stream index = files.Open(Layout.IndexName, 0, bytes.Length))
        {
            index.ReadExactly(bytes);
        }

        return Layout.TryDecode(bytes) ?? throw new StoreException($"{subject}: its {Layout.IndexName} is no index of an OCI image layout");
    }
}
