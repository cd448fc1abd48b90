using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>The system calls that read and write a file's content, and that make it durable.</summary>
public static unsafe partial class Sys
{
    internal const int SeekData = 3;
    internal const int SeekHole = 4;
    internal const nuint FiClone = 0x40049409;
    internal const nuint BtrfsFsInfo = 0x8400941F;
    internal const nuint EnableVerityRequest = 0x40806685;
    internal const nuint MeasureVerityRequest = 0xC0046686;
    internal const int VerityDigestOffset = 4;
    internal const uint VeritySha256 = 1;
    internal const int BtrfsUuidOffset = 16;
    internal const long StatfsReadOnly = 1;
    internal const short PollIn = 1;
    internal const int AdviceSequential = 2;
    internal const int AdviceDoNotNeed = 4;
    internal const int SetSignal = 10;
    internal const int SetLease = 1024;
    internal const int ReadLease = 0;
    internal const int NoLease = 2;
    internal const int SignalUrgent = 23;

    /// <summary>
    /// pread(2), repeated until <paramref name="buffer"/> is full or the file ends. <paramref name="count"/> is the number of bytes read.
    /// </summary>
    public static Errno ReadAt(SafeFileHandle file, Span<byte> buffer, long offset, out int count)
    {
        count = 0;
        fixed (byte* p = buffer)
        {
            while (count < buffer.Length)
            {
                nint got = Native.PRead(file, p + count, buffer.Length - count, offset + count);
                if (got == 0)
                {
                    break;
                }

                if (got > 0)
                {
                    count += (int)got;
                }
                else if (LastError() is var errno && errno != Errno.EINTR)
                {
                    return errno;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>pwrite(2) of all of <paramref name="data"/>.</summary>
    public static Errno WriteAt(SafeFileHandle file, ReadOnlySpan<byte> data, long offset)
    {
        fixed (byte* p = data)
        {
            for (int done = 0; done < data.Length;)
            {
                nint put = Native.PWrite(file, p + done, data.Length - done, offset + done);
                if (put >= 0)
                {
                    done += (int)put;
                }
                else if (LastError() is var errno && errno != Errno.EINTR)
                {
                    return errno;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>read(2), once, at the descriptor's position: for pipes. Zero bytes mean the end.</summary>
    public static Errno Read(SafeFileHandle file, Span<byte> buffer, out int count)
    {
        fixed (byte* p = buffer)
        {
            nint got;
            do
            {
                got = Native.Read(file, p, buffer.Length);
            }
            while (got < 0 && LastError() == Errno.EINTR);

            count = got < 0 ? 0 : (int)got;
            return got < 0 ? LastError() : Errno.None;
        }
    }

    /// <summary>poll(2): waits until a read would not wait, as at the end of a pipe, or the time is over; answers whether it would not.</summary>
    public static bool WaitToRead(SafeFileHandle file, int milliseconds)
    {
        // What cannot be polled is left to read(2), which says why.
        bool isHeld = false;
        file.DangerousAddRef(ref isHeld);
        var asked = new PollFd { File = (int)file.DangerousGetHandle(), Asked = PollIn };
        int ready = Native.Poll(&asked, 1, milliseconds);
        bool isReady = ready > 0 || (ready < 0 && LastError() != Errno.EINTR);
        file.DangerousRelease();
        return isReady;
    }

    /// <summary>write(2) of all of <paramref name="data"/> at the descriptor's position: for pipes and appended logs.</summary>
    public static Errno Write(SafeFileHandle file, ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data)
        {
            for (int done = 0; done < data.Length;)
            {
                nint put = Native.Write(file, p + done, data.Length - done);
                if (put >= 0)
                {
                    done += (int)put;
                }
                else if (LastError() is var errno && errno != Errno.EINTR)
                {
                    return errno;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// Finds the next range of data at or after <paramref name="offset"/> (lseek(2), SEEK_DATA and SEEK_HOLE). ENXIO if only a hole follows
    /// before the end of the file. A filesystem without holes reports the whole file as data.
    /// </summary>
    public static Errno NextData(SafeFileHandle file, long offset, out long start, out long end)
    {
        end = 0;
        start = Native.LSeek(file, offset, SeekData);
        if (start < 0)
        {
            return LastError();
        }

        end = Native.LSeek(file, start, SeekHole);
        return end < 0 ? LastError() : Errno.None;
    }

    /// <summary>FICLONE (ioctl_ficlone(2)): <paramref name="to"/> gets the content of <paramref name="from"/>, sharing its extents.</summary>
    public static Errno Clone(SafeFileHandle from, SafeFileHandle to)
    {
        bool held = false;
        try
        {
            from.DangerousAddRef(ref held);
            return Result(Native.IoCtl(to, FiClone, from.DangerousGetHandle()));
        }
        finally
        {
            if (held)
            {
                from.DangerousRelease();
            }
        }
    }

    /// <summary>
    /// Tells the kernel that a file will be read from front to back (posix_fadvise(2)). This is only advice, so errors are ignored.
    /// </summary>
    public static void AdviseSequential(SafeFileHandle file) => _ = Native.FAdvise(file, 0, 0, AdviceSequential);

    /// <summary>
    /// Drops a file's pages from the page cache (posix_fadvise(2)), so that the next read comes from the disk. Pages that are not written
    /// back yet stay.
    /// </summary>
    public static void DropCached(SafeFileHandle file) => _ = Native.FAdvise(file, 0, 0, AdviceDoNotNeed);

    /// <summary>
    /// Asks whether anybody can write to an open file now: takes a read lease and gives it back (fcntl(2), F_SETLEASE). EAGAIN if a descriptor or a
    /// shared mapping is open for writing, None if there is none. Any other errno means that the kernel does not tell: the filesystem has no leases
    /// (EINVAL), or the file is somebody else's and this process lacks CAP_LEASE (EACCES). <paramref name="file"/> is open for reading only.
    /// </summary>
    public static Errno ProbeForWriters(SafeFileHandle file)
    {
        // Who opens the file for writing meanwhile waits for the lease to end, and its holder gets a signal. The usual one, SIGIO, would end this
        // process; SIGURG is ignored unless somebody asks for it.
        Errno errno = Result(Native.Fcntl(file, SetSignal, SignalUrgent));
        errno = errno == Errno.None ? Result(Native.Fcntl(file, SetLease, ReadLease)) : errno;
        return errno == Errno.None ? Result(Native.Fcntl(file, SetLease, NoLease)) : errno;
    }

    /// <summary>ftruncate(2).</summary>
    public static Errno Truncate(SafeFileHandle file, long length) => Result(Native.FTruncate(file, length));

    /// <summary>fsync(2): makes the file's content and metadata durable, or fails.</summary>
    public static Errno Sync(SafeFileHandle file) => Result(Native.FSync(file));

    /// <summary>
    /// syncfs(2): makes everything on the file's filesystem durable, or fails. Before Linux 5.8 it does not report errors. On FAT it writes everything, but
    /// does not make the disk empty its cache: that takes <see cref="Sync"/> of any file there.
    /// </summary>
    public static Errno SyncFilesystem(SafeFileHandle file) => Result(Native.SyncFs(file));

    /// <summary>fstatfs(2): the type of the filesystem that a file is on.</summary>
    public static Errno FilesystemOf(SafeFileHandle file, out FilesystemType type)
    {
        Errno errno = FilesystemOf(file, out FilesystemStatus filesystem);
        type = filesystem.Type;
        return errno;
    }

    /// <summary>fstatfs(2): what the filesystem that a file is on tells about itself.</summary>
    public static Errno FilesystemOf(SafeFileHandle file, out FilesystemStatus filesystem)
    {
        RawStatfs raw = default;
        Errno errno = Result(Native.FStatFs(file, &raw));
        filesystem = new FilesystemStatus((FilesystemType)raw.Type, raw.Identifier, (raw.Flags & StatfsReadOnly) != 0);
        return errno;
    }

    /// <summary>
    /// FS_IOC_ENABLE_VERITY with SHA-256, blocks of 4096 bytes and no salt. From then on the kernel refuses writes to the file, and compares
    /// all that is read with the file's digest. The file must be open for reading only: ETXTBSY if it is open for writing, anywhere. EEXIST if it has
    /// fs-verity already, with these parameters or others.
    /// </summary>
    public static Errno EnableVerity(SafeFileHandle file)
    {
        var argument = new VerityArgument { Version = 1, HashAlgorithm = VeritySha256, BlockSize = 4096 };
        return Result(Native.IoCtl(file, EnableVerityRequest, (nint)(&argument)));
    }

    /// <summary>
    /// FS_IOC_MEASURE_VERITY: the SHA-256 digest that the kernel compares all reads of the file with. False if the file has no fs-verity, or one of
    /// another algorithm. The digest covers block size and salt too.
    /// </summary>
    public static bool TryMeasureVerity(SafeFileHandle file, Span<byte> digest)
    {
        // struct fsverity_digest: algorithm and size, u16 each, and the digest. The size that is passed in is the space there is.
        const int size = 32;
        ushort* measured = stackalloc ushort[(VerityDigestOffset + size) / sizeof(ushort)];
        measured[1] = size;
        if (Native.IoCtl(file, MeasureVerityRequest, (nint)measured) < 0 || measured[0] != VeritySha256 || measured[1] != size)
        {
            return false;
        }

        new ReadOnlySpan<byte>((byte*)measured + VerityDigestOffset, size).CopyTo(digest);
        return true;
    }

    /// <summary>Opens an open file again, with other rights, by its name under /proc. It need have no name of its own.</summary>
    public static Errno Reopen(SafeFileHandle file, OpenFlags flags, out SafeFileHandle reopened) =>
        Open(WorkingDirectory, ProcPath(file, default), flags, out reopened);

    /// <summary>BTRFS_IOC_FS_INFO: the UUID by which a mounted btrfs is known in /sys/fs/btrfs.</summary>
    public static Errno BtrfsUuid(SafeFileHandle file, out Guid uuid)
    {
        // struct btrfs_ioctl_fs_info_args: 1024 bytes, of which 16 at offset 16 are the UUID.
        byte* info = stackalloc byte[1024];
        new Span<byte>(info, 1024).Clear();
        Errno errno = Result(Native.IoCtl(file, BtrfsFsInfo, (nint)info));
        uuid = new Guid(new ReadOnlySpan<byte>(info + BtrfsUuidOffset, 16), bigEndian: true);
        return errno;
    }

    /// <summary>fstatfs(2): what a user other than root can still use on a file's filesystem.</summary>
    public static Errno FreeSpaceOf(SafeFileHandle file, out FreeSpace free)
    {
        RawStatfs raw = default;
        Errno errno = Result(Native.FStatFs(file, &raw));
        free = new FreeSpace((long)raw.AvailableBlocks * raw.BlockSize, raw.Files == 0 ? null : (long)raw.FreeFiles);
        return errno;
    }

    /// <summary>The name under /proc of an open file, or of <paramref name="name"/> in an open directory.</summary>
    private static byte[] ProcPath(SafeFileHandle file, ReadOnlySpan<byte> name)
    {
        if (file.DangerousGetHandle() == WorkingDirectory.DangerousGetHandle())
        {
            return name.ToArray();
        }

        byte[] prefix = Encoding.ASCII.GetBytes($"/proc/self/fd/{file.DangerousGetHandle()}");
        return name.IsEmpty ? prefix : [.. prefix, (byte)'/', .. name];
    }
}
