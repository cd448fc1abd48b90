using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The stored tree that an overlay's upper directory is read over. The upper directory has only what was changed: names that it lacks keep the
/// entries of the stored tree, a character device 0:0 is a deletion, and a directory with the attribute opaque has nothing of the stored tree.
/// The overlay must be mounted with <see cref="MountOptions"/>, so that every file of the upper directory is whole.
/// </summary>
public sealed class OverlayBase(Commit commit)
{
    private long files = commit.Files;
    private long contentBytes = commit.ContentBytes;

    // How the names of the overlay's own attributes begin.
    private static readonly byte[] Prefix = Sys.IsInUserNamespace() ? "user.overlay."u8.ToArray() : "trusted.overlay."u8.ToArray();

    // "opaque" is read by itself, and the others are notes of the kernel that say nothing of the tree.
    private static readonly string[] Known = ["opaque", "origin", "impure", "nlink", "uuid", "protattr"];

    /// <summary>
    /// The options that the overlay needs, with commas between them. In a user namespace nobody has attributes trusted.*, so the overlay's marks are
    /// user.* there (Linux 5.11), and the kernel refuses redirect_dir=off but makes no redirects.
    /// </summary>
    public static string MountOptions => "metacopy=off,index=off," + (Sys.IsInUserNamespace() ? "userxattr" : "redirect_dir=off");

    internal Digest Tree => commit.Tree;

    /// <summary>What the overlay's lower directory does not show of the stored tree; null if it shows all.</summary>
    internal UserCheckout? Checkout { get; init; }

    /// <summary>The root directory's entry in the stored tree.</summary>
    internal TreeEntry RootEntry() => commit.RootEntry();

    /// <summary>The number of entries of the stored tree that stay, without directories.</summary>
    internal long Files => files;

    /// <summary>The sum of the sizes of the regular files that stay.</summary>
    internal long ContentBytes => contentBytes;

    /// <summary>
    /// Gives a new upper directory the metadata of the tree's top: the merged directory shows it. What it inherited from the directory that it was made
    /// in goes. Attributes of another overlay stay away: the kernel, and who reads the upper directory, would take "opaque" for a word of this one.
    /// </summary>
    /// <param name="upper">The upper directory.</param>
    /// <param name="top">The top's entry in the stored tree.</param>
    /// <param name="xattrs">The attributes that the merged directory shows.</param>
    /// <param name="setsOwner">Whether the directory gets the top's owner and group.</param>
    /// <param name="subject">The directory, for messages.</param>
    internal static void SetUp(SafeFileHandle upper, in TreeEntry top, ReadOnlySpan<byte> xattrs, bool setsOwner, string subject)
    {
        if (setsOwner)
        {
            Sys.SetOwner(upper, top.Metadata.Uid, top.Metadata.Gid).ThrowIfFailed("fchown", subject);
        }

        ReadOnlySpan<byte> shown = XattrSet.Where(xattrs, static name => !name.StartsWith(Prefix));
        Xattrs.Set(upper, shown, subject);
        new Xattrs().RemoveOthers(upper, shown, subject);
        Sys.SetMode(upper, top.Metadata.Mode).ThrowIfFailed("fchmod", subject);
        Sys.SetTime(upper, top.Metadata.ModifyTime).ThrowIfFailed("utimensat", subject);
    }

    /// <summary>Whether an entry of an upper directory says that its name was deleted.</summary>
    internal static bool IsDeletion(in FileStatus status) =>
        status is { Type: FileType.CharacterDevice, DeviceMajor: 0, DeviceMinor: 0 };

    /// <summary>Whether a directory of the upper directory replaces that of the stored tree.</summary>
    internal static bool IsOpaque(SafeFileHandle directory)
    {
        Span<byte> value = stackalloc byte[1];
        return Sys.GetXattr(directory, [.. Prefix, .. "opaque"u8], value, out int length) == Errno.None && length == 1 && value[0] == (byte)'y';
    }

    /// <summary>
    /// Whether an attribute belongs to the overlay and not to the tree. Throws <see cref="StoreException"/> for one that says that a file's
    /// content or name is elsewhere.
    /// </summary>
    internal static bool IsOwnAttribute(ReadOnlySpan<byte> attribute)
    {
        if (!attribute.StartsWith(Prefix))
        {
            return false;
        }

        string name = ByteText.Quote(attribute[Prefix.Length..]);
        return Known.Contains(name)
            ? true
            : throw new StoreException(
                $"the overlay has the attribute {ByteText.Quote(attribute)}, of which no commit can be made; commit a copy of the merged directory");
    }

    /// <summary>Counts an entry of the stored tree that is gone or replaced, with everything below it.</summary>
    internal void Drop(Packs packs, in TreeEntry entry)
    {
        if (entry.IsDirectory)
        {
            DropTree(packs, entry.Digest);
            return;
        }

        Interlocked.Decrement(ref files);
        Interlocked.Add(ref contentBytes, -entry.Size);
    }

    /// <summary>Counts everything below a directory of the stored tree as gone.</summary>
    internal void DropTree(Packs packs, Digest tree) => TreeWalk.Visit(packs, tree, (PathBuffer _, in TreeEntry entry) =>
    {
        if (!entry.IsDirectory)
        {
            Drop(packs, entry);
        }

        return true;
    });
}
