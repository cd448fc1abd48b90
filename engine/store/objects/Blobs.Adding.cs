using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>This file has the methods by which files become objects.</summary>
public sealed partial class Blobs
{
    /// <summary><see cref="Additions.AddFile"/>.</summary>
    internal Digest AddFile(
        SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject, Digest expected = default)
    {
        Digest digest = status.Size <= FileContent.SmallFile
            ? AddSmall(source, status, metadata, xattrs, buffer, subject, expected)
            : AddLarge(source, status, metadata, xattrs, subject, expected);
        RequireUnchanged(source, status, subject);
        return digest;
    }

    /// <summary>Reads a file and returns its blob's digest. Nothing is stored.</summary>
    public static Digest HashFile(SafeFileHandle source, in FileStatus status, object subject, CancellationToken stop = default)
    {
        Digest digest = FileContent.Read(source, status, null, subject, stop);
        RequireUnchanged(source, status, subject);
        return digest;
    }

    /// <summary>Reads content of a known size that comes in pieces, and returns its digest. <paramref name="read"/> gets segments of a file.</summary>
    public static Digest HashStream(ContentReader read, long size, CancellationToken stop)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(size, Verity.SegmentSize));
        Span<byte> hash = stackalloc byte[Digest.Size];
        var tree = new VerityTree(size);
        for (long offset = 0; offset < size; offset += Verity.SegmentSize)
        {
            stop.ThrowIfCancellationRequested();
            Span<byte> segment = buffer.AsSpan(0, (int)Math.Min(Verity.SegmentSize, size - offset));
            read(segment);
            Verity.HashSegment(segment, size, hash);
            tree.Append(hash);
        }

        return tree.Finish();
    }

    /// <summary><see cref="Additions.AddBytes"/>.</summary>
    internal Digest AddBytes(ReadOnlySpan<byte> content, FileMetadata metadata, ReadOnlySpan<byte> xattrs, bool leaveHoles = false, Digest expected = default)
    {
        Digest digest = Verity.Compute(content);
        if (IsAnother(digest, expected))
        {
            return digest;
        }

        ObjectName name = NameOf(digest, metadata, xattrs);
        ObjectState state = FindToAdd(name, content.Length, xattrs);
        if (state != ObjectState.There)
        {
            using SafeFileHandle file = NewFile(metadata);
            if (leaveHoles)
            {
                file.Resize(content.Length, path);
            }

            FileContent.Write(file, content, 0, leaveHoles, path);
            MakeObject(file, name, xattrs, content.Length, state);
        }

        return digest;
    }

    /// <summary><see cref="Additions.AddStream"/>.</summary>
    internal Digest AddStream(
        ContentReader read, long size, FileMetadata metadata, ReadOnlySpan<byte> xattrs, bool leaveHoles = false, Digest expected = default)
    {
        using SafeFileHandle file = NewFile(metadata);
        if (leaveHoles)
        {
            file.Resize(size, path);
        }

        long offset = 0;
        Digest digest = HashStream(
            segment =>
            {
                read(segment);
                FileContent.Write(file, segment, offset, leaveHoles, path);
                offset += segment.Length;
            },
            size,
            Stop);
        return Keep(file, digest, size, metadata, xattrs, expected);
    }

    /// <summary><see cref="Additions.OpenScratch"/>.</summary>
    internal SafeFileHandle OpenScratch() => NewFile(FileModes.PrivateFile);

    /// <summary>Throws <see cref="StoreException"/> if a file's size or modification time changed since it was opened.</summary>
    internal static void RequireUnchanged(SafeFileHandle source, in FileStatus before, object subject)
    {
        Sys.Stat(source, out FileStatus after).ThrowIfFailed("statx", subject);
        if (after.Size != before.Size || after.ModifyTime != before.ModifyTime)
        {
            throw new StoreException($"{subject}: it changed while it was read", new Remedy.LeaveTreeAlone());
        }
    }

    private static bool IsAnother(Digest digest, Digest expected) => !expected.IsNone && digest != expected;

    private Digest AddSmall(
        SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject, Digest expected)
    {
        Sys.ReadAt(source, buffer.AsSpan(0, (int)status.Size), 0, out int count).ThrowIfFailed("pread", subject);
        return AddBytes(buffer.AsSpan(0, count), metadata, xattrs, FileContent.IsSparse(status), expected);
    }

    private Digest AddLarge(SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, object subject, Digest expected)
    {
        using SafeFileHandle file = NewFile(metadata);

        // The clone is hashed, not the source: no other process can change the clone.
        bool isClone = !cannotClone && Sys.Clone(source, file) == Errno.None;
        cannotClone = !isClone;
        if (isClone)
        {
            // The source may have grown since it was opened. AddFile refuses that later, but the object must not be longer than its name
            // says.
            file.Resize(status.Size, subject);
        }

        Digest digest = isClone ? FileContent.Read(file, status, null, subject, Stop) : FileContent.Read(source, status, file, subject, Stop);
        return Keep(file, digest, status.Size, metadata, xattrs, expected);
    }

    /// <summary>
    /// Makes a written file an object, unless the store has the object or the caller expected another digest. Returns the digest.
    /// </summary>
    private Digest Keep(SafeFileHandle file, Digest digest, long size, FileMetadata metadata, ReadOnlySpan<byte> xattrs, Digest expected)
    {
        if (IsAnother(digest, expected))
        {
            return digest;
        }

        ObjectName name = NameOf(digest, metadata, xattrs);
        ObjectState state = FindToAdd(name, size, xattrs);
        if (state != ObjectState.There)
        {
            MakeObject(file, name, xattrs, size, state);
        }

        return digest;
    }

    /// <summary>
    /// Makes a file without a name. It has the permissions of the object, except those that the umask forbids. A file that will be frozen is its owner's
    /// to write too: FS_IOC_ENABLE_VERITY asks for that.
    /// </summary>
    private SafeFileHandle NewFile(FileMetadata recorded) =>
        NewFile((uint)(format.ObjectMetadata(recorded).Mode & FileModes.Permissions) | (frozen.IsWanted ? FileModes.PrivateFile : 0u));

    private SafeFileHandle NewFile(uint mode)
    {
        Errno errno = Sys.Open(temporary, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, mode);
        if (errno is Errno.EOPNOTSUPP or Errno.EISDIR)
        {
            throw new StoreException($"{path}: this filesystem has no unnamed temporary files (O_TMPFILE); put the store on ext4, XFS, btrfs or tmpfs");
        }

        errno.ThrowIfFailed("openat", $"{path}/tmp");
        return file;
    }

    /// <summary>
    /// Freezes an object, sets its metadata and gives it its name. <paramref name="file"/> may be closed then. Throws <see cref="UnheldException"/> if the
    /// filesystem does not hold the metadata. Its caller knows the file, and names it.
    /// </summary>
    private void MakeObject(SafeFileHandle file, in ObjectName name, ReadOnlySpan<byte> recordedXattrs, long size, ObjectState state)
    {
        ReadOnlySpan<byte> xattrs = format.ObjectXattrs(recordedXattrs);
        using SafeFileHandle? readable = frozen.IsWanted ? frozen.Freeze(file) : null;
        SafeFileHandle inode = readable ?? file;
        if ((ObjectInode.TrySetMetadata(format, inode, name.Metadata, xattrs, path)
            ?? ObjectInode.FindLoss(format, inode, name.Metadata, xattrs, path)) is { } unheld)
        {
            throw new UnheldException(path, unheld, isCommit: true);
        }

        GiveName(inode, name, size, state);
    }

    /// <summary>Freezes a file that others may have written to, if objects are frozen (<see cref="Frozen.TryFreeze"/>).</summary>
    internal bool TryFreeze(SafeFileHandle file, Digest blob) => frozen.TryFreeze(file, blob);

    /// <summary>
    /// Gives a whole object its name. If a suspect inode has the name, the object replaces it. <paramref name="state"/> is what a look at
    /// the name showed before.
    /// </summary>
    internal void GiveName(SafeFileHandle file, in ObjectName name, long size, ObjectState state)
    {
        doubt.Unsynced.Set();
        ReadOnlySpan<byte> objectPath = PathOf(name, stackalloc byte[ObjectName.MaxLength]);
        Errno errno = Sys.LinkOpenFile(file, files, objectPath);
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("linkat", $"{path}/{name}");
        }

        listed.Add(name.Fanout, objectPath[ObjectName.FanoutLength..]);
        if (errno == Errno.EEXIST)
        {
            // What was missing a moment ago was made by another process.
            if (state == ObjectState.Missing && Look(name, size) == ObjectState.There)
            {
                return;
            }

            _ = TryStat(name, out FileStatus before);
            bool heals = state is ObjectState.SuspectContent or ObjectState.SuspectSize;
            if (heals && before.LinkCount > 1)
            {
                KeepDamaged?.Invoke(name);
            }

            Replace(file, name, objectPath);
            if (heals)
            {
                CountHealed(name, before);
            }
        }

        Interlocked.Increment(ref added);
        Interlocked.Add(ref addedBytes, size);
    }

    /// <summary>Replaces an object by an open file, atomically.</summary>
    private void Replace(SafeFileHandle file, in ObjectName name, ReadOnlySpan<byte> objectPath)
    {
        byte[] temporaryName = TemporaryName.New();
        Sys.LinkOpenFile(file, temporary, temporaryName).ThrowIfFailed("linkat", $"{path}/{name}");
        Sys.Rename(temporary, temporaryName, files, objectPath).ThrowIfFailed("renameat2", $"{path}/{name}");
    }
}
