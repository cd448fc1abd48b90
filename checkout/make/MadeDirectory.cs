using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A directory that is being made. It stays open until every directory below it is done, because they are made relative to its descriptor.
/// </summary>
internal sealed class MadeDirectory(MadeDirectory? parent, in TreeEntry entry, ReadOnlySpan<byte> name, CheckoutMethod method)
    : TreeDirectory<MadeDirectory>(parent, name.ToArray())
{
    public Digest Digest { get; } = entry.Digest;

    public FileMetadata Metadata { get; } = entry.Metadata;

    public byte[] Xattrs { get; } = entry.Xattrs.ToArray();

    /// <summary>How the directory's files are made.</summary>
    public CheckoutMethod Method { get; } = method;

    public SafeFileHandle Handle { get; set; } = null!;

    public uint MadeMode { get; set; }
}
