using System.Buffers.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>An inode that was an object and is damaged.</summary>
/// <param name="Object">The object.</param>
/// <param name="Inode">The inode's number.</param>
public readonly record struct DamagedInode(ObjectName Object, ulong Inode)
{
    /// <summary>The path of its name, below the store.</summary>
    public string Path => $"{DamagedInodes.Room}/{System.Text.Encoding.ASCII.GetString(DamagedInodes.FileName(this))}";
}

/// <summary>
/// The directory damaged/: inodes that were objects and are damaged (FORMAT.md, section 7). It says which inodes roots may have in the place of
/// objects, and keeps what may be the only copy of some content until there is a better one.
/// </summary>
public sealed class DamagedInodes
{
    internal const string Room = "damaged";

    private const byte Mark = (byte)'~';

    private const int MostDigits = 20;

    private readonly ObjectStore store;
    private readonly LateRoom room;

    internal DamagedInodes(ObjectStore store, SafeFileHandle top)
    {
        this.store = store;
        room = new LateRoom(store, top, Room, FileModes.OwnerOnly);
    }

    // No inode has this name, which has no mark.
    private static ReadOnlySpan<byte> UnfinishedName => "unfinished"u8;

    /// <summary>All of them. <paramref name="strangers"/> gets the names that are none of theirs.</summary>
    public List<DamagedInode> List(List<byte[]>? strangers = null)
    {
        List<DamagedInode> inodes = room.List<DamagedInode>(TryParse, strangers);
        strangers?.RemoveAll(name => name.AsSpan().SequenceEqual(UnfinishedName));
        return inodes;
    }

    /// <summary>Whether somebody began to give roots other inodes, and did not finish. Then the list must stay as it is.</summary>
    public bool IsUnfinished()
    {
        using SafeFileHandle? directory = room.TryOpen();
        return directory is not null && Sys.Stat(directory, UnfinishedName, out _) == Errno.None;
    }

    /// <summary>Notes that roots are being given other inodes. Durable.</summary>
    public void Begin()
    {
        using (SafeFileHandle directory = room.Make())
        {
            const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.NoFollow;
            Sys.Open(directory, UnfinishedName, flags, out SafeFileHandle file, FileModes.PrivateFile)
                .ThrowIfFailed("openat", $"{room.Path}/unfinished");
            file.Dispose();
        }

        Sync();
    }

    /// <summary>Notes that all roots have the inodes that they are to have.</summary>
    public void Finish()
    {
        Errno errno = room.Remove(UnfinishedName);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", $"{room.Path}/unfinished");
        }
    }

    /// <summary>How many names an inode has beside that in damaged/; 0 if it has none there.</summary>
    public long LinksOf(DamagedInode inode)
    {
        using SafeFileHandle? directory = room.TryOpen();
        return directory is not null && Sys.Stat(directory, FileName(inode), out FileStatus status) == Errno.None && status.Type != FileType.Directory
            ? status.LinkCount - 1
            : 0;
    }

    /// <summary>Opens an inode for reading; null if it cannot be read, or is no regular file.</summary>
    internal SafeFileHandle? TryOpen(DamagedInode inode, out FileStatus status)
    {
        status = default;
        using SafeFileHandle? directory = room.TryOpen();
        return directory is not null && StoreFile.TryOpen(directory, FileName(inode), OpenFlags.ReadOnly, out SafeFileHandle file, out status) == Errno.None
            ? file
            : null;
    }

    /// <summary>
    /// Gives the inode that has an object's name a name in damaged/ too. A directory, which can have one name only, is moved. Returns the errno:
    /// ENOENT if there is no such object.
    /// </summary>
    internal Errno TryKeep(in ObjectName name) => TryKeep(name, isMoved: false);

    /// <summary>Moves what has an object's name to damaged/. Only while no other process uses the store.</summary>
    internal Errno TryMove(in ObjectName name)
    {
        store.Lock.RequireExclusive();
        return TryKeep(name, isMoved: true);
    }

    /// <summary>Makes the names durable.</summary>
    internal void Sync() => room.Sync();

    /// <summary>Removes the name of an inode.</summary>
    public Errno Remove(DamagedInode inode) => room.Remove(FileName(inode));

    internal static byte[] FileName(DamagedInode inode)
    {
        Span<byte> name = stackalloc byte[ObjectName.MaxLength + 1 + MostDigits];
        int length = inode.Object.Format(name);
        name[ObjectName.FanoutLength..length].CopyTo(name[(ObjectName.FanoutLength - 1)..]);
        name[length - 1] = Mark;
        Utf8Formatter.TryFormat(inode.Inode, name[length..], out int digits);
        return name[..(length + digits)].ToArray();
    }

    private Errno TryKeep(in ObjectName name, bool isMoved)
    {
        if (!store.Blobs.TryStat(name, out FileStatus status))
        {
            return Errno.ENOENT;
        }

        using SafeFileHandle directory = room.Make();
        byte[] fileName = FileName(new DamagedInode(name, status.Inode));
        if (isMoved || status.Type == FileType.Directory)
        {
            return store.Blobs.MoveAway(name, directory, fileName);
        }

        Errno errno = store.Blobs.LinkDamaged(name, directory, fileName);
        return errno == Errno.EEXIST ? Errno.None : errno;
    }

    private static bool TryParse(ReadOnlySpan<byte> name, out DamagedInode inode)
    {
        inode = default;
        int mark = name.LastIndexOf(Mark);
        if (mark < 2
            || !Utf8Parser.TryParse(name[..2], out byte fan, out int used, 'x') || used != 2
            || !ObjectName.TryParse(fan, name[2..mark], out ObjectName named)
            || !Utf8Parser.TryParse(name[(mark + 1)..], out ulong number, out _))
        {
            return false;
        }

        // The steps above accept some other texts too.
        inode = new DamagedInode(named, number);
        return FileName(inode).AsSpan().SequenceEqual(name);
    }
}
