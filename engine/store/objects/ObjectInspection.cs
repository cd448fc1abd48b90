using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Compares an object's inode with its name: content, metadata, attributes. It has buffers, so each thread needs its own.
/// </summary>
/// <param name="format">The store's policies.</param>
/// <param name="measures">Whether content that the kernel compares with the digest in the name (fs-verity) need not be read.</param>
internal sealed class ObjectInspection(StoreFormat format, bool measures = false)
{
    private readonly Xattrs xattrs = new();
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(FileContent.SmallFile);

    /// <summary>The facts about the inode that was inspected last.</summary>
    internal ObjectFacts Facts { get; private set; }

    /// <summary>Whether the content of that inode was not read, because the kernel compares it with the digest.</summary>
    internal bool WasMeasured { get; private set; }

    /// <summary>
    /// Finds the ways in which an object differs from its name. Afterwards <see cref="Facts"/> has the facts about its inode. Throws
    /// <see cref="LinuxException"/> if the object cannot be read.
    /// </summary>
    internal ObjectFaults FindFaults(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName name, ExpectedObject? expected)
    {
        (Facts, WasMeasured) = (default, false);
        Sys.Stat(directory, entry, out FileStatus status).ThrowIfFailed("statx", "object");
        bool isRegular = status.Type == FileType.Regular;
        Facts = new ObjectFacts(status.Type, status.Mode, status.Uid, status.Gid, status.ModifyTime, isRegular ? status.Size : 0, default);
        if (!isRegular)
        {
            return ObjectFaults.Type;
        }

        ObjectFaults faults = ObjectInode.Compare(format, name.Metadata, status);
        Sys.Open(directory, entry, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file).ThrowIfFailed("openat", "object");
        using (file)
        {
            faults |= HasXattrs(file, name, expected) ? ObjectFaults.None : ObjectFaults.Attributes;
            faults |= expected is { } needed && needed.Size != status.Size ? ObjectFaults.Size : ObjectFaults.None;
            bool isFrozen = status.HasVerity && Frozen.IsMeasured(file, name.Blob);
            faults |= format.Verity == VerityUse.Required && !isFrozen ? ObjectFaults.Verity : ObjectFaults.None;
            WasMeasured = measures && isFrozen;
            Digest content = WasMeasured ? name.Blob : Hash(file, status);
            Facts = Facts with { Content = content };
            return content == name.Blob ? faults : faults | ObjectFaults.Content;
        }
    }

    /// <summary>Whether an object is what its name says. False also if it cannot be read, or changes while it is read.</summary>
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

    private bool HasXattrs(SafeFileHandle file, in ObjectName name, ExpectedObject? expected)
    {
        // The machine and the filesystem may have put attributes of their own on the inode. What the tree records is not known here, so the set counts with
        // them and without them.
        ReadOnlySpan<byte> set = format.ObjectXattrs(xattrs.Read(file, "object"));
        return IsNamed(set, name, expected) || IsNamed(XattrSet.Where(set, static x => !StoreFormat.IsFilesystemXattr(x)), name, expected);
    }

    private static bool IsNamed(ReadOnlySpan<byte> set, in ObjectName name, ExpectedObject? expected) =>
        Matches(set, name, expected) || Matches(XattrSet.Where(set, static x => !StoreFormat.IsMachineXattr(x)), name, expected);

    private static bool Matches(ReadOnlySpan<byte> set, in ObjectName name, ExpectedObject? expected) =>
        ObjectName.TagOf(set) == name.XattrTag && (expected is not { } needed || NeededObjects.MoreOf(name, set) == needed.MoreOfXattrs);

    private Digest Hash(SafeFileHandle file, in FileStatus status)
    {
        if (status.Size > buffer.Length)
        {
            return FileContent.Read(file, status, null, "object", CancellationToken.None);
        }

        Sys.ReadAt(file, buffer.AsSpan(0, (int)status.Size), 0, out int count).ThrowIfFailed("pread", "object");
        return Verity.Compute(buffer.AsSpan(0, count));
    }
}
