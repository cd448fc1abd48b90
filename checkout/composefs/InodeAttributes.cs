using System.IO.Hashing;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// The extended attributes of one inode of an image, sorted by name: those of the tree, and those by which overlayfs finds a file's content.
/// Filled again for each inode. Not thread-safe.
/// </summary>
/// <remarks>
/// overlayfs would take attributes of its own that are in the tree for the image's, and a device 0:0 for a deletion. So composefs hides
/// them: trusted.overlay.X becomes trusted.overlay.overlay.X, which a mount shows as it was. The device becomes an empty file with an attribute,
/// which is still a deletion to an overlay that has the mount as a layer (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs mounts").
/// </remarks>
internal sealed class InodeAttributes(IImageSource source)
{
    private const int MetacopySize = 4 + Digest.Size;
    private const byte MetacopySha256 = 1;

    private readonly List<(int Start, int NameLength, int ValueLength)> attributes = [];
    private readonly byte[] path = new byte[4096];
    private byte[] bytes = new byte[4096];
    private int used;

    internal int Count => attributes.Count;

    private static ReadOnlySpan<byte> OverlayPrefix => "trusted.overlay."u8;

    /// <summary>Whether overlayfs would take an entry for a deletion.</summary>
    internal static bool IsWhiteout(in TreeEntry entry) => entry is { Kind: EntryKind.CharacterDevice, DeviceMajor: 0, DeviceMinor: 0 };

    internal ReadOnlySpan<byte> Name(int i) => bytes.AsSpan(attributes[i].Start, attributes[i].NameLength);

    internal ReadOnlySpan<byte> Value(int i) => bytes.AsSpan(attributes[i].Start + attributes[i].NameLength + 1, attributes[i].ValueLength);

    /// <summary>A digest of name and value. 128 bits under this process's seed, so that nobody can make two attributes with the same one.</summary>
    internal UInt128 Key(int i, long seed)
    {
        (int start, int nameLength, int valueLength) = attributes[i];
        return XxHash128.HashToUInt128(bytes.AsSpan(start, nameLength + 1 + valueLength), seed);
    }

    /// <summary>Takes the attributes of an entry as they are in the tree.</summary>
    internal void TakePlain(in TreeEntry entry)
    {
        attributes.Clear();
        used = 0;
        for (ReadOnlySpan<byte> rest = entry.Xattrs; XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);)
        {
            Add(default, name, value);
        }
    }

    /// <summary>Takes the attributes of an entry as the image has them.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="isRoot">Whether the entry is the image's root.</param>
    /// <param name="hasWhiteouts">Whether the entry is a directory with a device 0:0 in it.</param>
    internal void Take(in TreeEntry entry, bool isRoot, bool hasWhiteouts)
    {
        attributes.Clear();
        used = 0;
        for (ReadOnlySpan<byte> rest = entry.Xattrs; XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);)
        {
            bool isOverlays = name.StartsWith(OverlayPrefix);
            Add(isOverlays ? OverlayPrefix : default, isOverlays ? name["trusted."u8.Length..] : name, value);
        }

        if (entry is { Kind: EntryKind.Regular, Size: > 0 } && !source.IsInline(entry))
        {
            AddContentPlace(entry);
        }
        else if (IsWhiteout(entry))
        {
            Set("trusted.overlay.overlay.whiteout"u8, default);
            Set("user.overlay.whiteout"u8, default);
        }

        if (hasWhiteouts)
        {
            Set("trusted.overlay.overlay.whiteouts"u8, default);
            Set("user.overlay.whiteouts"u8, default);
            Set("trusted.overlay.overlay.opaque"u8, "x"u8);
            Set("user.overlay.opaque"u8, "x"u8);
        }

        if (isRoot)
        {
            Set("trusted.overlay.opaque"u8, "y"u8);
        }

        Sort();
    }

    private void AddContentPlace(in TreeEntry entry)
    {
        Span<byte> metacopy = stackalloc byte[MetacopySize];
        Digest verity = source.VerityOf(entry);
        if (verity.IsNone)
        {
            metacopy = default;
        }
        else
        {
            metacopy.Clear();
            metacopy[1] = MetacopySize;
            metacopy[3] = MetacopySha256;
            verity.CopyTo(metacopy[4..]);
        }

        Add(OverlayPrefix, "metacopy"u8, metacopy);
        ReadOnlySpan<byte> place = source.PathOf(entry, path);
        if (!place.IsEmpty)
        {
            Add(OverlayPrefix, "redirect"u8, place);
        }
    }

    /// <summary>Adds an attribute, in the place of one of the same name.</summary>
    private void Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        for (int i = 0; i < attributes.Count; i++)
        {
            if (Name(i).SequenceEqual(name))
            {
                attributes.RemoveAt(i);
                break;
            }
        }

        Add(default, name, value);
    }

    private void Add(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int length = prefix.Length + name.Length + 1 + value.Length;
        if (bytes.Length - used < length)
        {
            Array.Resize(ref bytes, Math.Max(2 * bytes.Length, used + length));
        }

        attributes.Add((used, prefix.Length + name.Length, value.Length));
        Span<byte> target = bytes.AsSpan(used, length);
        prefix.CopyTo(target);
        name.CopyTo(target[prefix.Length..]);
        target[prefix.Length + name.Length] = 0;
        value.CopyTo(target[(prefix.Length + name.Length + 1)..]);
        used += length;
    }

    // They are few and nearly in order.
    private void Sort()
    {
        for (int i = 1; i < attributes.Count; i++)
        {
            for (int k = i; k > 0 && Name(k - 1).SequenceCompareTo(Name(k)) > 0; k--)
            {
                (attributes[k - 1], attributes[k]) = (attributes[k], attributes[k - 1]);
            }
        }
    }
}
