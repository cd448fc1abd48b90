using System.Globalization;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>A commit that was made of a consumed tree.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="Started">The time at which the reading of the tree began.</param>
/// <param name="Store">The inode of the directory of the store that has the commit; null in a note of an older program.</param>
internal readonly record struct ConsumedCommit(Digest Commit, FileTime Started, ulong? Store);

/// <summary>
/// The directory in which a tree is while it is consumed. It stands beside the tree's own place, and only its owner can enter it. FORMAT.md
/// section 7 says what a killed process leaves.
/// <code>
/// .NAME.consumed/          mode 0700; the process that works in it holds flock(2) on it
///   tree                   was NAME
///   commit                 a symbolic link that leads nowhere; its text is the commit's id, the time at which the reading began, and the
///                          inode of the store. It exists from just before the ref is set until the removal of the tree is finished
/// </code>
/// </summary>
internal sealed class PrivatePlace : IDisposable
{
    private static readonly byte[] CommitName = "commit"u8.ToArray();

    private readonly SafeFileHandle parent;
    private readonly byte[] tree;
    private readonly byte[] name;
    private bool isGone;

    private PrivatePlace(SafeFileHandle parent, byte[] tree, byte[] name, SafeFileHandle handle, string treePath)
    {
        this.parent = parent;
        this.tree = tree;
        this.name = name;
        Handle = handle;
        Path = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(treePath)!, ByteText.Quote(name));
    }

    /// <summary>The tree's name in the place.</summary>
    internal static byte[] TreeName { get; } = "tree"u8.ToArray();

    /// <summary>The place's absolute path, for messages.</summary>
    internal string Path { get; }

    /// <summary>The place, open.</summary>
    internal SafeFileHandle Handle { get; }

    /// <summary>Whether the tree is in the place.</summary>
    internal bool HasTree => Sys.Stat(Handle, TreeName, out _) == Errno.None;

    /// <summary>
    /// Moves a directory into a new place beside it. Null if the directory cannot be moved, for example if it is a mount point. Then it
    /// stays where it was.
    /// </summary>
    internal static PrivatePlace? TryTake(SafeFileHandle parent, byte[] tree, string treePath)
    {
        byte[] name = NameFor(tree);
        if (Sys.MakeDirectory(parent, name, FileModes.OwnerOnly) != Errno.None)
        {
            return null;
        }

        if (Open(parent, name, out SafeFileHandle handle) == Errno.None)
        {
            var place = new PrivatePlace(parent, tree, name, handle, treePath);
            if (Sys.Lock(handle, LockKind.Exclusive, wait: false) == Errno.None && Sys.RenameNew(parent, tree, handle, TreeName) == Errno.None)
            {
                return place;
            }
        }

        handle.Dispose();
        _ = Sys.RemoveDirectory(parent, name);
        return null;
    }

    /// <summary>
    /// Finds the place that a killed process left beside a directory, and locks it; null if there is none. Throws
    /// <see cref="StoreException"/> if a process works in the place, or if --consume did not make it: it is not a directory, or has
    /// another owner or mode.
    /// </summary>
    internal static PrivatePlace? FindLeft(SafeFileHandle parent, byte[] tree, string treePath)
    {
        byte[] name = NameFor(tree);
        Errno errno = Open(parent, name, out SafeFileHandle handle);
        var place = new PrivatePlace(parent, tree, name, handle, treePath);
        try
        {
            if (errno is Errno.ENOENT or Errno.ENAMETOOLONG)
            {
                handle.Dispose();
                return null;
            }

            if (errno is Errno.ENOTDIR or Errno.ELOOP || (errno == Errno.None && !(IsOurs(handle) && place.HasOnlyOurs())))
            {
                throw new StoreException($"{place.Path}: it is in the way of --consume, and was not made by it; move it away");
            }

            errno.ThrowIfFailed("openat", place.Path);
            errno = Sys.Lock(handle, LockKind.Exclusive, wait: false);
            if (errno == Errno.EAGAIN)
            {
                throw new StoreException($"{treePath}: another process is consuming it");
            }

            errno.ThrowIfFailed("flock", place.Path);
            return place;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes down that the tree becomes a commit. If the filesystem could make the ref or the removal of the tree durable before this note, the note
    /// is synced.
    /// </summary>
    internal void NoteCommit(ConsumedCommit made)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{made.Commit} {made.Started.Seconds}.{made.Started.Nanoseconds:d9} {made.Store}");
        Sys.Symlink(Encoding.ASCII.GetBytes(text), Handle, CommitName).ThrowIfFailed("symlinkat", Path);
        if (!NameOrder.IsKept(Handle))
        {
            Sys.Sync(Handle).ThrowIfFailed("fsync", Path);
        }
    }

    /// <summary>The commit that was made of the tree; null if <see cref="NoteCommit"/> was not called.</summary>
    internal ConsumedCommit? FindCommit()
    {
        Span<byte> text = stackalloc byte[256];
        if (Sys.ReadLink(Handle, CommitName, text, out int length) != Errno.None)
        {
            return null;
        }

        string[] words = Encoding.ASCII.GetString(text[..length]).Split(' ', '.');
        ulong store = 0;
        return words.Length is 3 or 4
            && Digest.TryParse(words[0], out Digest commit)
            && long.TryParse(words[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds)
            && uint.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint nanoseconds)
            && (words.Length == 3 || ulong.TryParse(words[3], NumberStyles.None, CultureInfo.InvariantCulture, out store))
            ? new ConsumedCommit(commit, new FileTime(seconds, nanoseconds), words.Length == 4 ? store : null)
            : null;
    }

    /// <summary>
    /// Puts the tree back, if it is there, and removes the place. EEXIST if something else is in the tree's own place; then nothing is
    /// changed.
    /// </summary>
    internal Errno TryPutBack()
    {
        if (isGone)
        {
            return Errno.None;
        }

        Errno errno = Sys.RenameNew(Handle, TreeName, parent, tree);
        if (errno is not (Errno.None or Errno.ENOENT))
        {
            return errno;
        }

        // The note is removed after the tree was put back. A process that is killed in between leaves a place without a tree.
        _ = Sys.Unlink(Handle, CommitName);
        _ = Sys.RemoveDirectory(parent, name);
        isGone = true;
        return Errno.None;
    }

    /// <summary>Closes the place, and so unlocks it.</summary>
    public void Dispose() => Handle.Dispose();

    private static bool IsOurs(SafeFileHandle handle) =>
        Sys.Stat(handle, out FileStatus status) == Errno.None
        && status.Uid == Sys.EffectiveUid
        && (status.Mode & FileModes.Permissions) == FileModes.OwnerOnly;

    /// <summary>Whether the place has nothing but what --consume makes there. Otherwise it is somebody else's directory.</summary>
    private bool HasOnlyOurs()
    {
        using SafeFileHandle listing = DirectoryReader.Reopen(Handle, Path);
        var reader = new DirectoryReader();
        for (reader.Start(listing, Path); reader.Next();)
        {
            bool isOurs = reader.Name.SequenceEqual(TreeName)
                ? Sys.Stat(Handle, TreeName, out FileStatus status) == Errno.None && status.Type == FileType.Directory
                : reader.Name.SequenceEqual(CommitName) && FindCommit() is not null;
            if (!isOurs)
            {
                return false;
            }
        }

        return true;
    }

    private static byte[] NameFor(byte[] tree) => [(byte)'.', .. tree, .. ".consumed"u8];

    private static Errno Open(SafeFileHandle parent, ReadOnlySpan<byte> name, out SafeFileHandle handle) =>
        Sys.Open(parent, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out handle);
}
