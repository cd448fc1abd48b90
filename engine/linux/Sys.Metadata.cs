using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>
/// The system calls that read and change an inode's metadata. Calls that have no variant for descriptors go through /proc/self/fd.
/// </summary>
public static unsafe partial class Sys
{
    internal const uint StatxBasicStats = 0x7FF;
    internal const uint StatxBirthTime = 0x800;
    internal const uint StatxMountId = 0x1000;
    internal const nint GetXattrAtNumber = 464;
    internal const nint ListXattrAtNumber = 465;
    internal const nint FChModAt2Number = 452;

    private static volatile bool lacksListXattrAt;
    private static volatile bool lacksGetXattrAt;

    /// <summary>statx(2) of a name. For a symbolic link it describes the link itself. Does not trigger automounts.</summary>
    public static Errno Stat(SafeFileHandle dir, ReadOnlySpan<byte> name, out FileStatus status)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            RawStatx raw = default;
            Errno errno = Result(Native.Statx(dir, p, AtSymlinkNoFollow | AtNoAutomount, StatxBasicStats | StatxBirthTime | StatxMountId, &raw));
            status = new FileStatus(raw);
            return errno;
        }
    }

    /// <summary>statx(2) of an open file.</summary>
    public static Errno Stat(SafeFileHandle file, out FileStatus status)
    {
        byte empty = 0;
        RawStatx raw = default;
        Errno errno = Result(Native.Statx(file, &empty, AtEmptyPath, StatxBasicStats | StatxBirthTime | StatxMountId, &raw));
        status = new FileStatus(raw);
        return errno;
    }

    /// <summary>
    /// fchmod(2): sets the 12 permission bits. For a file that is open only as a place (O_PATH) it is fchmodat2(2), or chmod(2) of its name under /proc
    /// where Linux lacks that call.
    /// </summary>
    public static Errno SetMode(SafeFileHandle file, uint mode)
    {
        Errno errno = Result(Native.FChMod(file, mode));
        if (errno != Errno.EBADF)
        {
            return errno;
        }

        byte empty = 0;
        if (HasSetMode(file, &empty, mode, AtEmptyPath, out errno))
        {
            return errno;
        }

        fixed (byte* path = new NativeName(ProcPath(file, default), []))
        {
            return Result(Native.FChModAt(WorkingDirectory, path, mode, 0));
        }
    }

    /// <summary>
    /// fchmodat2(2) of a name. A symbolic link is not followed: EOPNOTSUPP. Linux before 6.6 lacks the call, and filters of containers refuse it by
    /// EPERM. Then it is fchmodat(3), for which the C library needs /proc. Where that is not mounted either, a directory is opened, and other names give
    /// EOPNOTSUPP.
    /// </summary>
    public static Errno SetMode(SafeFileHandle dir, ReadOnlySpan<byte> name, uint mode)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            if (HasSetMode(dir, p, mode, AtSymlinkNoFollow, out Errno errno))
            {
                return errno;
            }

            errno = Result(Native.FChModAt(dir, p, mode, AtSymlinkNoFollow));
            return errno == Errno.EOPNOTSUPP ? SetModeOfDirectory(dir, name, mode) : errno;
        }
    }

    /// <summary>Calls fchmodat2(2). False if this kernel lacks it or a filter refuses it.</summary>
    private static bool HasSetMode(SafeFileHandle dir, byte* name, uint mode, int flags, out Errno errno)
    {
        errno = Native.FChModAt2(FChModAt2Number, dir, name, (nint)mode, flags) < 0 ? LastError() : Errno.None;
        return errno is not (Errno.ENOSYS or Errno.EPERM);
    }

    private static Errno SetModeOfDirectory(SafeFileHandle dir, ReadOnlySpan<byte> name, uint mode)
    {
        Errno errno = Open(dir, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle directory);
        using (directory)
        {
            return errno == Errno.None ? SetMode(directory, mode) : Errno.EOPNOTSUPP;
        }
    }

    /// <summary>fchownat(2) of an open file. The kernel clears set-uid, set-gid and file capabilities.</summary>
    public static Errno SetOwner(SafeFileHandle file, uint uid, uint gid)
    {
        byte empty = 0;
        return Result(Native.FChOwnAt(file, &empty, uid, gid, AtEmptyPath));
    }

    /// <summary>fchownat(2) of a name. For a symbolic link it changes the link itself.</summary>
    public static Errno SetOwner(SafeFileHandle dir, ReadOnlySpan<byte> name, uint uid, uint gid)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            return Result(Native.FChOwnAt(dir, p, uid, gid, AtSymlinkNoFollow));
        }
    }

    /// <summary>
    /// The earliest change time that a file changed now can get. The kernel dates files by its coarse clock, which is up to 10 ms behind
    /// <see cref="FileTime.Now"/> (clock_gettime(2), CLOCK_REALTIME_COARSE).
    /// </summary>
    public static FileTime EarliestFileTime()
    {
        TimeSpec time;
        Result(Native.ClockGetTime(ClockRealtimeCoarse, &time)).ThrowIfFailed("clock_gettime", "CLOCK_REALTIME_COARSE");
        return new FileTime(time.Seconds, (uint)time.Nanoseconds);
    }

    /// <summary>
    /// Sets modification and access time of an open file (futimens(3)). It may be open only as a place (O_PATH): then it is utimensat(2), Linux 5.8 and later.
    /// </summary>
    public static Errno SetTime(SafeFileHandle file, long seconds)
    {
        TimeSpec* times = stackalloc TimeSpec[2];
        times[0].Seconds = times[1].Seconds = seconds;
        times[0].Nanoseconds = times[1].Nanoseconds = 0;
        byte empty = 0;
        Errno errno = Result(Native.FUTimeNs(file, times));
        return errno == Errno.EBADF ? Result(Native.UTimeNsAt(file, &empty, times, AtEmptyPath)) : errno;
    }

    /// <summary>Sets modification and access time of a name (utimensat(2)). For a symbolic link it changes the link itself.</summary>
    public static Errno SetTime(SafeFileHandle dir, ReadOnlySpan<byte> name, long seconds)
    {
        TimeSpec* times = stackalloc TimeSpec[2];
        times[0].Seconds = times[1].Seconds = seconds;
        times[0].Nanoseconds = times[1].Nanoseconds = 0;
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            return Result(Native.UTimeNsAt(dir, p, times, AtSymlinkNoFollow));
        }
    }

    /// <summary>
    /// flistxattr(2): the attribute names, each ended by a NUL. ERANGE if <paramref name="list"/> is too small; 65536 bytes are always
    /// enough.
    /// </summary>
    public static Errno ListXattrs(SafeFileHandle file, Span<byte> list, out int length)
    {
        fixed (byte* p = list)
        {
            return Length(Native.FListXattr(file, p, list.Length), out length);
        }
    }

    /// <summary>
    /// Lists the attributes of a name in a directory. It neither opens the file nor follows a symbolic link. Uses listxattrat(2) of Linux
    /// 6.13, and llistxattr(2), which needs /proc, on older kernels.
    /// </summary>
    public static Errno ListXattrs(SafeFileHandle dir, ReadOnlySpan<byte> name, Span<byte> list, out int length)
    {
        if (!lacksListXattrAt)
        {
            Errno errno = ListXattrsAt(dir, name, list, out length);
            if (errno is not (Errno.ENOSYS or Errno.EPERM))
            {
                return errno;
            }

            // Either the kernel lacks the call, or a container's system call filter refuses it.
            lacksListXattrAt = true;
        }

        fixed (byte* path = new NativeName(ProcPath(dir, name), []), p = list)
        {
            return Length(Native.LListXattr(path, p, list.Length), out length);
        }
    }

    private static Errno ListXattrsAt(SafeFileHandle dir, ReadOnlySpan<byte> name, Span<byte> list, out int length)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* n = at, p = list)
        {
            return Length(Native.ListXattrAt(ListXattrAtNumber, dir, n, AtSymlinkNoFollow, p, list.Length), out length);
        }
    }

    /// <summary>fgetxattr(2). ERANGE if <paramref name="value"/> is too small; 65536 bytes are always enough.</summary>
    public static Errno GetXattr(SafeFileHandle file, ReadOnlySpan<byte> attribute, Span<byte> value, out int length)
    {
        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* k = key, v = value)
        {
            return Length(Native.FGetXattr(file, k, v, value.Length), out length);
        }
    }

    /// <summary>
    /// Reads an attribute of a name in a directory. It neither opens the file nor follows a symbolic link. Uses getxattrat(2) of Linux 6.13, and
    /// lgetxattr(2), which needs /proc, on older kernels.
    /// </summary>
    public static Errno GetXattr(SafeFileHandle dir, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, Span<byte> value, out int length)
    {
        if (!lacksGetXattrAt)
        {
            Errno errno = GetXattrAt(dir, name, attribute, value, out length);
            if (errno is not (Errno.ENOSYS or Errno.EPERM))
            {
                return errno;
            }

            lacksGetXattrAt = true;
        }

        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* path = new NativeName(ProcPath(dir, name), []), k = key, v = value)
        {
            return Length(Native.LGetXattr(path, k, v, value.Length), out length);
        }
    }

    private static Errno GetXattrAt(SafeFileHandle dir, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, Span<byte> value, out int length)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* n = at, k = key, v = value)
        {
            var arguments = new XattrArguments { Value = (ulong)v, Size = (uint)value.Length };
            return Length(Native.GetXattrAt(GetXattrAtNumber, dir, n, AtSymlinkNoFollow, k, &arguments, sizeof(XattrArguments)), out length);
        }
    }

    /// <summary>fsetxattr(2).</summary>
    public static Errno SetXattr(SafeFileHandle file, ReadOnlySpan<byte> attribute, ReadOnlySpan<byte> value)
    {
        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* k = key, v = value)
        {
            return Result(Native.FSetXattr(file, k, v, value.Length, 0));
        }
    }

    /// <summary>lsetxattr(2) of a name in a directory. Needs /proc.</summary>
    public static Errno SetXattr(SafeFileHandle dir, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, ReadOnlySpan<byte> value)
    {
        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* path = new NativeName(ProcPath(dir, name), []), k = key, v = value)
        {
            return Result(Native.LSetXattr(path, k, v, value.Length, 0));
        }
    }

    /// <summary>fremovexattr(2). ENODATA if the file has no such attribute.</summary>
    public static Errno RemoveXattr(SafeFileHandle file, ReadOnlySpan<byte> attribute)
    {
        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* k = key)
        {
            return Result(Native.FRemoveXattr(file, k));
        }
    }

    /// <summary>lremovexattr(2) of a name in a directory. ENODATA if the file has no such attribute. Needs /proc.</summary>
    public static Errno RemoveXattr(SafeFileHandle dir, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute)
    {
        var key = new NativeName(attribute, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* path = new NativeName(ProcPath(dir, name), []), k = key)
        {
            return Result(Native.LRemoveXattr(path, k));
        }
    }

    private static Errno Length(nint returned, out int length)
    {
        length = returned < 0 ? 0 : (int)returned;
        return returned < 0 ? LastError() : Errno.None;
    }
}
