using System.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>The kinds of thing that keep a commit in the store.</summary>
public enum HolderKind
{
    /// <summary>A ref.</summary>
    Ref,
    /// <summary>A root's record.</summary>
    Root,
    /// <summary>A pack that nobody can remove.</summary>
    Pack,
    /// <summary>An image that is mounted.</summary>
    Image,
}

/// <summary>A ref, a root, a mounted image, or a pack that cannot be removed, which keeps a commit in the store.</summary>
/// <param name="Kind">Which of them.</param>
/// <param name="Name">The ref's name, or that of the root's record, of the image's file, or of the pack.</param>
public readonly record struct Holder(HolderKind Kind, string Name)
{
    /// <summary>Its file, below the store. Bytes that a line of text cannot show are escaped.</summary>
    public string File => ByteText.Quote(Encoding.UTF8.GetBytes(Kind switch
    {
        HolderKind.Ref => $"refs/{Name}",
        HolderKind.Root => $"roots/{Name}.json",
        HolderKind.Image => $"{Images.Room}/{Name}",
        _ => $"packs/{Name}.pack",
    }));

    /// <summary>A ref.</summary>
    public static Holder OfRef(string name) => new(HolderKind.Ref, name);

    /// <summary>A root, by the name of its record.</summary>
    public static Holder OfRoot(string name) => new(HolderKind.Root, name);

    /// <summary>A mounted image.</summary>
    internal static Holder OfImage(StoredImage image) => new(HolderKind.Image, image.FileName);

    /// <summary>A pack, by its name.</summary>
    internal static Holder OfPack(Digest name) => new(HolderKind.Pack, name.ToString());
}

/// <summary>One ref or root that needs something, and where.</summary>
/// <param name="Holder">The ref or root.</param>
/// <param name="OlderCommit">The commit of the holder's history that needs the thing; none if it is the holder's own commit.</param>
/// <param name="PathInTree">The thing's path in the commit's tree, as bytes; empty for the top, and for the commit itself.</param>
public sealed record Need(Holder Holder, Digest OlderCommit, ReadOnlyMemory<byte> PathInTree);
