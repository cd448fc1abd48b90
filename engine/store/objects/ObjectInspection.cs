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
    private readonly List<string> faults = [];

    /// <summary>Bytes of the object that was inspected last.</summary>
    internal long Size { get; private set; }

    /// <summary>
    /// Says what is wrong with an object; valid until the next call. Throws <see cref="LinuxException"/> where it cannot
    /// be read.
    /// </summary>
    internal IReadOnlyList<string> FindFaults(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name, ExpectedObject? expected)
    {
        faults.Clear();
        Size = 0;
        Sys.Stat(directory, entry, out FileStatus status).ThrowIfFailed("statx", "object");
        if (status.Type != FileType.Regular)
        {
            faults.Add("not a regular file");
            return faults;
        }

        Size = status.Size;
        CompareMetadata(name.Metadata, status);
        Sys.Open(directory, entry, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file).ThrowIfFailed("openat", "object");
        using (file)
        {
            CompareXattrs(file, name, expected);
            if (expected is { } needed && needed.Size != status.Size)
            {
                faults.Add($"it has {status.Size} bytes where a tree says {needed.Size}");
            }

            if (Hash(file, status) != name.Blob)
            {
                faults.Add("its content is not what its name says");
            }
        }

        return faults;
    }

    /// <summary>Whether an object is what its name says; it is not where it cannot be read, or changes meanwhile.</summary>
    internal bool IsRight(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name)
    {
        try
        {
            return FindFaults(directory, entry, name, null).Count == 0;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            return false;
        }
    }

    private void CompareMetadata(FileMetadata named, in FileStatus status)
    {
        if (status.Mode != named.Mode)
        {
            faults.Add($"its mode is {Convert.ToString(status.Mode, 8).PadLeft(4, '0')}");
        }

        // The inodes of a user store belong to whoever that user is now.
        if (!format.UserMode && (status.Uid != named.Uid || status.Gid != named.Gid))
        {
            faults.Add($"its owner is {status.Uid}:{status.Gid}");
        }

        if (status.ModifyTime != new FileTime(named.ModifyTime, 0) && !IsClamped(named.ModifyTime, status.ModifyTime.Seconds))
        {
            faults.Add($"its modification time is {status.ModifyTime.Seconds}.{status.ModifyTime.Nanoseconds:d9}");
        }
    }

    private void CompareXattrs(SafeFileHandle file, in ObjectName name, ExpectedObject? expected)
    {
        // A user store's inodes may carry what the system put there (security.selinux); their names are without it.
        ReadOnlySpan<byte> set = format.ObjectXattrs(xattrs.Read(file, "object"));
        if (ObjectName.TagOf(set) != name.XattrTag || (expected is { } needed && NeededObjects.MoreOf(name, set) != needed.MoreOfXattrs))
        {
            faults.Add("its extended attributes are not those its name stands for");
        }
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
