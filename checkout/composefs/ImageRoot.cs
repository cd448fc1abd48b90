using System.Globalization;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// The root directory of an image. Beside its own entries it has a device 0:0 for each of 00 to ff: where an old kernel has the objects in
/// an ordinary layer below the image, overlayfs takes the devices for deletions and hides the objects' directories.
/// </summary>
internal sealed class ImageRoot
{
    private readonly bool[] isAdded = new bool[256];

    internal ImageRoot(Tree tree, in TreeEntry root)
    {
        HasWhiteouts = false;
        var builder = new TreeBuilder();
        foreach (TreeEntry entry in tree)
        {
            builder.Add(entry);
            HasWhiteouts |= InodeAttributes.IsWhiteout(entry);
        }

        ReadOnlySpan<byte> label = XattrSet.Where(root.Xattrs, name => name.SequenceEqual("security.selinux"u8));
        Span<byte> name = stackalloc byte[2];
        for (int i = 0; i < isAdded.Length; i++)
        {
            Convert.TryToHexStringLower([(byte)i], name, out _);
            isAdded[i] = !tree.Find(name).Exists;
            if (isAdded[i])
            {
                builder.Add(new TreeEntry
                {
                    Kind = EntryKind.CharacterDevice,
                    Name = name,
                    Metadata = root.Metadata with { Mode = FileModes.PublicFile },
                    Xattrs = label,
                });
            }
        }

        Tree = builder.Build();
    }

    /// <summary>The entries, with the added ones.</summary>
    internal Tree Tree { get; }

    /// <summary>Whether a device 0:0 of the tree itself is in it.</summary>
    internal bool HasWhiteouts { get; }

    /// <summary>Whether an entry of the root was added.</summary>
    internal bool IsAdded(in TreeEntry entry) =>
        entry.Name.Length == 2 && !entry.Name.ContainsAnyInRange((byte)'A', (byte)'F')
        && byte.TryParse(entry.Name, NumberStyles.AllowHexSpecifier, null, out byte number)
        && isAdded[number] && InodeAttributes.IsWhiteout(entry);
}
