using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>This file answers whether an object is there. <see cref="Doubt"/> says when an object is believed.</summary>
public sealed partial class Blobs
{
    /// <summary>
    /// Says whether a commit may rely on an object. A caller that asks for many objects, while nothing is in doubt, pays no system call for
    /// most of them. Throws <see cref="CorruptException"/> if the object has other attributes than <paramref name="recordedXattrs"/>. The
    /// name has only 64 bits of their digest, and an attacker could make two sets of attributes with the same 64 bits.
    /// </summary>
    public ObjectState Find(in ObjectName name, long size, ReadOnlySpan<byte> recordedXattrs)
    {
        ObjectState state = FindKnown(name, size);
        if (state == ObjectState.There && name.XattrTag != 0)
        {
            RequireXattrs(name, recordedXattrs);
        }

        return state;
    }

    /// <summary>
    /// Answers as <see cref="Find"/> does, for a file that a commit relied on before and that is unchanged: that commit compared the attributes.
    /// </summary>
    public ObjectState FindKnown(in ObjectName name, long size) => (doubt.IsAny ? null : FindListed(name)) ?? Look(name, size);

    /// <summary>
    /// Whether the file with this status is an object's inode and has the object's metadata. While nothing is in doubt, the inode that the
    /// object had when it was listed counts too: if the object has another inode now, the other inode has the same content. A caller that
    /// asks for many files pays no system call for most of them.
    /// </summary>
    public bool IsInode(in ObjectName name, in FileStatus status) =>
        HasMetadata(name, status) && ((!doubt.IsAny && WasInode(name, status)) || SharesInode(name, status));

    /// <summary>Reads the status of an object by statx(2); false if there is no such object.</summary>
    public bool TryStat(in ObjectName name, out FileStatus status)
    {
        Errno errno = Sys.Stat(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), out status);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("statx", $"{path}/{name}");
        }

        return errno == Errno.None;
    }

    /// <summary>Whether an inode has the metadata in an object's name.</summary>
    internal bool HasMetadata(in ObjectName name, in FileStatus status) =>
        status.Mode == name.Metadata.Mode
        && (format.UserMode || (status.Uid, status.Gid) == (name.Metadata.Uid, name.Metadata.Gid))
        && status.ModifyTime == new FileTime(name.Metadata.ModifyTime, 0);

    /// <summary>Answers as <see cref="Find"/> does, always from the object itself. Attributes are not compared.</summary>
    private ObjectState Look(in ObjectName name, long size)
    {
        if (!TryStat(name, out FileStatus status))
        {
            return ObjectState.Missing;
        }

        return status.Type == FileType.Regular && status.Size == size ? doubt.Judge(this, name, status) : ObjectState.SuspectSize;
    }

    /// <summary>Whether the file with this status is an object's inode, whatever its metadata.</summary>
    internal bool SharesInode(in ObjectName name, in FileStatus status) =>
        TryStat(name, out FileStatus stored) && (stored.Inode, stored.Device) == (status.Inode, status.Device);

    private ObjectState? FindListed(in ObjectName name) =>
        listed.Contains(name.Fanout, NameInFan(name, stackalloc byte[ObjectName.MaxLength])) switch
        {
            null => null,
            true => ObjectState.There,
            false => ObjectState.Missing,
        };

    private bool WasInode(in ObjectName name, in FileStatus status) =>
        listed.WasInode(name.Fanout, NameInFan(name, stackalloc byte[ObjectName.MaxLength]), status.Device, status.Inode);

    private static ReadOnlySpan<byte> NameInFan(in ObjectName name, Span<byte> buffer) => buffer[..name.Format(buffer)][ObjectName.FanoutLength..];

    private void RequireXattrs(in ObjectName name, ReadOnlySpan<byte> recordedXattrs)
    {
        using SafeFileHandle file = Open(name, out _);
        if (!format.HoldsXattrs(Xattrs.OfThread.Read(file, Subject(name)), recordedXattrs))
        {
            throw new CorruptException(Subject(name), "its extended attributes are not those its name stands for", new Remedy.CheckStore());
        }
    }
}
