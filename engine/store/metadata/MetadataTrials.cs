using System.Collections.Concurrent;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Answers whether a checkout can restore the metadata of a directory, symbolic link, device or fifo. Their metadata is only in trees, so
/// nothing else would notice before a checkout. (A file's metadata is set when its object is made.) Whatever is unusual is tried on a
/// scratch inode of the store's filesystem, each distinct case once. Thread-safe.
/// </summary>
public sealed class MetadataTrials
{
    // Every filesystem holds the times from 1970 to 2038.
    private const long UsualLatest = int.MaxValue;

    private readonly ObjectStore store;
    private readonly Lazy<(long Earliest, long Latest)> times;
    private readonly ConcurrentDictionary<(uint Uid, uint Gid, bool HasSetGid), Unheld?> owners = new();
    private readonly ConcurrentDictionary<(EntryKind Kind, ushort Permissions, Digest Xattrs), Unheld?> sets = new();

    internal MetadataTrials(ObjectStore store)
    {
        this.store = store;
        times = new Lazy<(long, long)>(TryTimes);
    }

    /// <summary>The time that the store's filesystem holds in place of a time in seconds since 1970: mostly the same.</summary>
    public long Clamp(long time) =>
        time is >= 0 and <= UsualLatest ? time : Math.Clamp(time, times.Value.Earliest, times.Value.Latest);

    /// <summary>What of the metadata of an entry without an object cannot be restored; null if all can.</summary>
    public Unheld? Find(EntryKind kind, FileMetadata metadata, ReadOnlySpan<byte> recordedXattrs)
    {
        long time = Clamp(metadata.ModifyTime);
        if (time != metadata.ModifyTime)
        {
            return new Unheld.Time(metadata.ModifyTime, time);
        }

        if (!store.Format.UserMode && FindOwner(kind, metadata) is { } owner)
        {
            return owner;
        }

        ReadOnlySpan<byte> xattrs = store.Format.ObjectXattrs(recordedXattrs);
        return xattrs.IsEmpty ? null : FindXattrs(kind, metadata, xattrs);
    }

    private Unheld? FindOwner(EntryKind kind, FileMetadata metadata)
    {
        bool hasSetGid = kind != EntryKind.Symlink && (metadata.Mode & FileModes.SetGroupId) != 0;
        (uint, uint, bool) key = (metadata.Uid, metadata.Gid, hasSetGid);
        if (!owners.TryGetValue(key, out Unheld? unheld))
        {
            using SafeFileHandle file = store.Blobs.OpenScratch();
            FileMetadata tried = metadata with { Mode = (ushort)(FileModes.PrivateFile | (hasSetGid ? FileModes.SetGroupId : 0)), ModifyTime = 0 };
            unheld = ObjectInode.TrySetMetadata(store.Format, file, tried, default, Subject)
                ?? ObjectInode.FindLoss(store.Format, file, tried, default, Subject);
            owners.TryAdd(key, unheld);
        }

        return unheld;
    }

    private Unheld? FindXattrs(EntryKind kind, FileMetadata metadata, ReadOnlySpan<byte> xattrs)
    {
        // For attributes, devices are like fifos.
        EntryKind tried = kind is EntryKind.Directory or EntryKind.Symlink ? kind : EntryKind.Fifo;
        (EntryKind, ushort, Digest) key = (tried, (ushort)(metadata.Mode & FileModes.Permissions), XattrSet.DigestOf(xattrs));
        if (!sets.TryGetValue(key, out Unheld? unheld))
        {
            unheld = TryXattrs(tried, (uint)(metadata.Mode & FileModes.Permissions), xattrs);
            sets.TryAdd(key, unheld);
        }

        return unheld;
    }

    /// <summary>Makes an inode in tmp/ and sets the attributes. If the process is killed meanwhile, gc removes the inode.</summary>
    private Unheld? TryXattrs(EntryKind kind, uint permissions, ReadOnlySpan<byte> xattrs)
    {
        SafeFileHandle directory = store.Temporary;
        byte[] name = TemporaryName.New();
        Errno errno = kind switch
        {
            EntryKind.Directory => Sys.MakeDirectory(directory, name, FileModes.OwnerOnly),
            EntryKind.Symlink => Sys.Symlink("nowhere"u8, directory, name),
            _ => Sys.MakeNode(directory, name, FileType.Fifo, FileModes.PrivateFile, 0, 0),
        };
        errno.ThrowIfFailed("mknodat", Subject);
        try
        {
            if (Xattrs.TrySet(directory, name, xattrs, Subject) is { } unheld)
            {
                return unheld;
            }

            if (kind != EntryKind.Symlink)
            {
                Sys.SetMode(directory, name, permissions).ThrowIfFailed("fchmodat", Subject);
            }

            byte[] actual = Xattrs.OfThread.Read(directory, name, Subject);
            return store.Format.HoldsXattrs(actual, xattrs) ? null : Unheld.OfChangedXattr(actual, xattrs);
        }
        finally
        {
            _ = kind == EntryKind.Directory ? Sys.RemoveDirectory(directory, name) : Sys.Unlink(directory, name);
        }
    }

    private (long Earliest, long Latest) TryTimes()
    {
        using SafeFileHandle file = store.Blobs.OpenScratch();
        return (TryTime(file, long.MinValue), TryTime(file, long.MaxValue));
    }

    private long TryTime(SafeFileHandle file, long time)
    {
        Sys.SetTime(file, time).ThrowIfFailed("futimens", Subject);
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", Subject);
        return status.ModifyTime.Seconds;
    }

    private string Subject => $"{store.Path}/tmp";
}
