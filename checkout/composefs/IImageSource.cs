using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>Where an <see cref="ImageWriter"/> reads a tree, and what it asks of regular files.</summary>
internal interface IImageSource
{
    /// <summary>The tree of that digest.</summary>
    Tree ReadTree(Digest digest);

    /// <summary>Whether a file's content is in the image. The content of other files is elsewhere.</summary>
    bool IsInline(in TreeEntry file);

    /// <summary>The content of a file that <see cref="IsInline"/>.</summary>
    ReadOnlySpan<byte> ContentOf(in TreeEntry file);

    /// <summary>
    /// Where the content of a file is that is not in the image: an absolute path in the data layer. It may be in
    /// <paramref name="buffer"/>, which has 4096 bytes. Empty for no path.
    /// </summary>
    ReadOnlySpan<byte> PathOf(in TreeEntry file, Span<byte> buffer);

    /// <summary>The fs-verity digest of a file that is not in the image; none if the image is not to say it.</summary>
    Digest VerityOf(in TreeEntry file);
}
