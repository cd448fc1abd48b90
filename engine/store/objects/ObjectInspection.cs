using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Compares an object's inode with its name: content, metadata, attributes. Keeps buffers: one for each thread.</summary>
internal sealed class ObjectInspection(StoreFormat format)
{
    private const long EarliestTime = int.MinValue;

    // What filesystems keep instead of a later time: ext4 with small inodes, with large ones, XFS with bigtime.
    private static readonly long[] LatestTimes = [int.MaxValue, 0x37FFFFFFF, 16299260424];

    private readonly Xattrs xattrs = new();
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(FileContent.SmallFile);

    /// <summary>What the inode is that was inspected last.</summary>
    internal ObjectFacts Facts { get; private set; }

    /// <summary>
    /// Says in which ways an object is not what its name says; <see cref="Facts"/> then says what it is. Throws <see cref="LinuxException"/>
    /// where the object cannot be read.
    /// </summary>
    internal ObjectFaults FindFaults(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name, ExpectedObject? expected)
    {
        Facts = default;
        Sys.Stat(directory, entry, out FileStatus status).ThrowIfFailed("statx", "object");
        bool isRegular = status.Type == FileType.Regular;
        Facts = new ObjectFacts(status.Type, status.Mode, status.Uid, status.Gid, status.ModifyTime, isRegular ? status.Size : 0, default);
        if (!isRegular)
        {
            return ObjectFaults.Type;
        }

        ObjectFaults faults = CompareMetadata(name.Metadata, status);
        Sys.Open(directory, entry, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file).ThrowIfFailed("openat", "object");
        using (file)
        {
            faults |= HasXattrs(file, name, expected) ? ObjectFaults.None : ObjectFaults.Attributes;
            faults |= expected is { } needed && needed.Size != status.Size ? ObjectFaults.Size : ObjectFaults.None;
            Digest content = Hash(file, status);
            Facts = Facts with { Content = content };
            return content == name.Blob ? faults : faults | ObjectFaults.Content;
        }
    }

    /// <summary>Whether an object is what its name says; it is not where it cannot be read, or changes meanwhile.</summary>
    internal bool IsRight(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name)
    {
        try
        {
            return FindFaults(directory, entry, name, null) == ObjectFaults.None;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            return false;
        }
    }

    private ObjectFaults CompareMetadata(FileMetadata named, in FileStatus status)
    {
        // The inodes of a user store belong to whoever that user is now.
        bool hasOwner = format.UserMode || (status.Uid == named.Uid && status.Gid == named.Gid);
        bool hasTime = status.ModifyTime == new FileTime(named.ModifyTime, 0) || IsClamped(named.ModifyTime, status.ModifyTime.Seconds);
        return (status.Mode == named.Mode ? ObjectFaults.None : ObjectFaults.Mode)
            | (hasOwner ? ObjectFaults.None : ObjectFaults.Owner)
            | (hasTime ? ObjectFaults.None : ObjectFaults.Time);
    }

    private bool HasXattrs(SafeFileHandle file, in ObjectName name, ExpectedObject? expected)
    {
        // A user store's inodes may carry what the system put there (security.selinux); their names are without it.
        ReadOnlySpan<byte> set = format.ObjectXattrs(xattrs.Read(file, "object"));
        return ObjectName.TagOf(set) == name.XattrTag && (expected is not { } needed || NeededObjects.MoreOf(name, set) == needed.MoreOfXattrs);
    }

    private Digest Hash(SafeFileHandle file, in FileStatus status)
    {
        if (status.Size > buffer.Length)
        {
            return FileContent.Read(file, status, null, "object", CancellationToken.None);
        }

        Sys.ReadAt(file, buffer.AsSpan(0, (int)status.Size), 0, out int count).ThrowIfFailed("pread", "object");
        return Verity.Compute(buffer.AsSpan(0, count));
    }

    private static bool IsClamped(long named, long actual) =>
        named < actual ? actual == EarliestTime : named > actual && LatestTimes.Contains(actual);
}
