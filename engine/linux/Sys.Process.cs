using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>The two kinds of lock that flock(2) knows.</summary>
public enum LockKind
{
    /// <summary>Several processes can hold it at a time.</summary>
    Shared = 1,
    /// <summary>One process holds it alone.</summary>
    Exclusive = 2,
}

/// <summary>The system calls about this process: its user, its limits, its locks, its mounts.</summary>
public static unsafe partial class Sys
{
    internal const int LockNonBlocking = 4;
    internal const int LockRelease = 8;
    internal const int GetOpenFileLock = 36;
    internal const int WriteLock = 1;
    internal const int NoLock = 2;
    internal const nuint GetWindowSize = 0x5413;
    internal const int LimitOpenFiles = 7;
    internal const int CloneNewNamespace = 0x20000;
    internal const nint OpenTreeNumber = 428;
    internal const nint MoveMountNumber = 429;
    internal const nint MountSetAttrNumber = 442;
    internal const int OpenTreeClone = 1;
    internal const int OpenTreeCloseOnExec = 0x80000;
    internal const int MoveMountEmptyPath = 4;
    internal const int MoveMountToEmptyPath = 0x40;
    internal const ulong MountReadOnly = 1;

    /// <summary>geteuid(2).</summary>
    public static uint EffectiveUid => Native.GetEUid();

    /// <summary>getegid(2).</summary>
    public static uint EffectiveGid => Native.GetEGid();

    /// <summary>Whether the process runs with the superuser's uid.</summary>
    public static bool IsRoot => EffectiveUid == 0;

    /// <summary>isatty(3) of a descriptor number, such as 2 for standard error.</summary>
    public static bool IsTerminal(int descriptor) => Native.IsATty(descriptor) == 1;

    /// <summary>
    /// The number of columns of the terminal at a descriptor number (TIOCGWINSZ, ioctl_tty(2)); 80 if the terminal does not say. .NET's
    /// Console changes the terminal's modes to find out, and a killed process would leave the terminal in those modes.
    /// </summary>
    public static int TerminalWidth(int descriptor)
    {
        using var terminal = new SafeFileHandle(descriptor, ownsHandle: false);

        // struct winsize: rows, columns, and two more; u16 each.
        ushort* size = stackalloc ushort[4];
        return Native.IoCtl(terminal, GetWindowSize, (nint)size) == 0 && size[1] > 1 ? size[1] : 80;
    }

    /// <summary>
    /// setenv(3): changes the environment that C libraries in this process see. .NET changes only its own copy. Not thread-safe: call it
    /// before anything else.
    /// </summary>
    public static void SetEnvironment(string name, string value) => _ = Native.SetEnv(name, value, 1);

    /// <summary>
    /// Whether this process is in a user namespace that does not have all users, so that its root has only some of root's rights. False if /proc does
    /// not tell.
    /// </summary>
    public static bool IsInUserNamespace()
    {
        try
        {
            // Each line: the first id in here, the first id outside, how many.
            string[] map = File.ReadAllText("/proc/self/uid_map").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return !map.SequenceEqual(["0", "0", $"{uint.MaxValue}"]);
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>
    /// execv(3): this process becomes another program, which keeps its number, environment and standard files. Returns only if that fails. The other
    /// program ignores SIGPIPE too, as the runtime does.
    /// </summary>
    /// <param name="path">The path of the program.</param>
    /// <param name="arguments">What it gets as its arguments, the first of which is its name. None has a byte 0.</param>
    public static Errno Execute(string path, IReadOnlyList<byte[]> arguments)
    {
        byte[] joined = [.. Encoding.UTF8.GetBytes(path), 0, .. arguments.SelectMany(argument => argument.Append((byte)0))];
        var words = new nint[arguments.Count + 1];
        fixed (byte* start = joined)
        {
            byte* next = start + Encoding.UTF8.GetByteCount(path) + 1;
            for (int i = 0; i < arguments.Count; i++)
            {
                words[i] = (nint)next;
                next += arguments[i].Length + 1;
            }

            fixed (nint* list = words)
            {
                return Result(Native.Execute(start, (byte**)list));
            }
        }
    }

    /// <summary>
    /// signal(2): whether a write to a closed pipe is an error, as .NET sets it for this process, or ends the process by SIGPIPE. A program that
    /// is started has what its parent had: `yes | head -1` ends quietly only if the signal is not ignored.
    /// </summary>
    public static void IgnoreClosedPipes(bool ignores)
    {
        const int pipe = 13, byDefault = 0, ignored = 1;
        _ = Native.Signal(pipe, ignores ? ignored : byDefault);
    }

    /// <summary>
    /// Opens each of the descriptors 0, 1 and 2 that is closed, so that it can be neither read nor written. Otherwise the next opened file
    /// would become, for example, standard output.
    /// </summary>
    public static void OccupyStandardDescriptors()
    {
        fixed (byte* top = "/\0"u8)
        {
            int fd;
            do
            {
                // open(2) takes the lowest free number.
                fd = Native.OpenAt((int)WorkingDirectory.DangerousGetHandle(), top, OpenFlagValues.Of(OpenFlags.Path), 0);
            }
            while (fd is >= 0 and <= 2);
            _ = fd < 0 ? 0 : Native.Close(fd);
        }
    }

    /// <summary>
    /// A random number from getrandom(2), which no other process has. .NET's Guid.NewGuid needs /dev/urandom, which a bare chroot lacks.
    /// </summary>
    public static Errno Random(out UInt128 number)
    {
        UInt128 filled = 0;
        nint count = Native.GetRandom(&filled, sizeof(UInt128), 0);
        number = filled;
        return count < 0 ? LastError() : Errno.None;
    }

    /// <summary>
    /// The process's umask. It is read from /proc without changing it, because other threads may be creating files. If /proc does not tell
    /// it (before Linux 4.7), the answer is all permission bits, so that no caller relies on a mode that the umask cut.
    /// </summary>
    public static uint Umask()
    {
        const string field = "Umask:";
        try
        {
            string? line = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal));
            return line is null ? FileModes.Permissions : Convert.ToUInt32(line[field.Length..].Trim(), 8);
        }
        catch (IOException)
        {
            return FileModes.Permissions;
        }
    }

    /// <summary>
    /// flock(2). Without <paramref name="wait"/>, EAGAIN if another process holds the lock. The lock ends when the descriptor is closed, so
    /// a killed process leaves no lock behind.
    /// </summary>
    public static Errno Lock(SafeFileHandle file, LockKind kind, bool wait) => FLock(file, (int)kind | (wait ? 0 : LockNonBlocking));

    /// <summary>flock(2) with LOCK_UN: gives up a lock, and keeps the descriptor.</summary>
    public static Errno Unlock(SafeFileHandle file) => FLock(file, LockRelease);

    private static Errno FLock(SafeFileHandle file, int operation)
    {
        Errno errno;
        do
        {
            errno = Result(Native.FLock(file, operation));
        }
        while (errno == Errno.EINTR);

        return errno;
    }

    /// <summary>
    /// Whether another open file has a lock on some of these bytes of the file, taken by fcntl(2) F_SETLK or F_OFD_SETLK. False if the filesystem
    /// has no such locks.
    /// </summary>
    public static bool IsRangeLocked(SafeFileHandle file, long start, long length)
    {
        var asked = new RawFileLock { Type = (short)WriteLock, Start = start, Length = length };
        return Result(Native.Fcntl(file, GetOpenFileLock, (nint)(&asked))) == Errno.None && asked.Type != NoLock;
    }

    /// <summary>
    /// unshare(2): gives the calling thread a mount namespace of its own. Programs that the thread starts share the namespace, and it ends with
    /// the last of them. Only root can do this. Mounts still propagate to and from other namespaces until / is made private or a slave.
    /// </summary>
    public static Errno UnshareMounts() => Result(Native.Unshare(CloneNewNamespace));

    /// <summary>
    /// mount(2): mounts the filesystem of type <paramref name="type"/> on the device <paramref name="source"/> at
    /// <paramref name="target"/>.
    /// </summary>
    public static Errno Mount(ReadOnlySpan<byte> source, ReadOnlySpan<byte> target, ReadOnlySpan<byte> type)
    {
        var from = new NativeName(source, stackalloc byte[NativeName.StackBytes]);
        var at = new NativeName(target, stackalloc byte[NativeName.StackBytes]);
        var kind = new NativeName(type, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* s = from, t = at, k = kind)
        {
            return Result(Native.Mount(s, t, k, 0, null));
        }
    }

    /// <summary>
    /// Mounts a directory over itself, read-only, without what is mounted in it: open_tree(2), mount_setattr(2) and move_mount(2), of Linux 5.12. The
    /// other options are those of the mount that the directory is in.
    /// </summary>
    public static Errno MountReadOnlyOverItself(ReadOnlySpan<byte> directory)
    {
        var name = new NativeName(directory, stackalloc byte[NativeName.StackBytes]);
        byte empty = 0;
        var attributes = new MountAttributes { Set = MountReadOnly };
        nint at = WorkingDirectory.DangerousGetHandle();
        fixed (byte* p = name)
        {
            nint fd = Native.OpenTree(OpenTreeNumber, at, p, OpenTreeClone | OpenTreeCloseOnExec | AtSymlinkNoFollow);
            if (fd < 0)
            {
                return LastError();
            }

            using var mount = new SafeFileHandle(fd, ownsHandle: true);
            return Native.MountSetAttr(MountSetAttrNumber, mount, &empty, AtEmptyPath, &attributes, sizeof(MountAttributes)) < 0
                || Native.MoveMount(MoveMountNumber, mount, &empty, at, p, MoveMountEmptyPath) < 0 ? LastError() : Errno.None;
        }
    }

    /// <summary>umount2(2), without flags.</summary>
    public static Errno Unmount(ReadOnlySpan<byte> target)
    {
        var at = new NativeName(target, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* t = at)
        {
            return Result(Native.Unmount(t, 0));
        }
    }

    /// <summary>Raises the soft limit of open files to the hard limit, because a walk holds one directory open for each level.</summary>
    public static void RaiseOpenFileLimit()
    {
        RLimit limit;
        if (Native.GetRLimit(LimitOpenFiles, &limit) == 0 && limit.Soft < limit.Hard)
        {
            limit.Soft = limit.Hard;
            _ = Native.SetRLimit(LimitOpenFiles, &limit);
        }
    }
}
