using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>
/// One thin wrapper for each system call, relative to a directory descriptor. A wrapper returns an <see cref="Errno"/>; the caller decides
/// which errors are results, and turns the others into a <see cref="LinuxException"/>. Names are bytes without a terminating NUL. A
/// symbolic link as the last component is not followed, except by <see cref="Open"/> without <see cref="OpenFlags.NoFollow"/>, Mount and
/// Unmount. This file has the calls about names in directories. Content is in Sys.Content.cs, metadata in Sys.Metadata.cs,
/// the process in Sys.Process.cs.
/// </summary>
public static unsafe partial class Sys
{
    internal const int ClockRealtimeCoarse = 5;
    internal const int AtSymlinkNoFollow = 0x100;
    internal const int AtRemoveDirectory = 0x200;
    internal const int AtSymlinkFollow = 0x400;
    internal const int AtNoAutomount = 0x800;
    internal const int AtEmptyPath = 0x1000;
    internal const uint RenameNoReplace = 1;
    internal const uint RenameExchange = 2;
    internal const nint OpenAt2Number = 437;
    internal const ulong ResolveBeneathNoSymlinks = 0x08 | 0x04 | 0x02;

    internal const ulong ResolveInRoot = 0x10 | 0x02;

    // openat2(2) answers EAGAIN if something was renamed meanwhile, which seldom happens twice, and with O_NONBLOCK also if another process
    // has a lease on the file, which lasts.
    private const int MostRenames = 1000;

    /// <summary>Stands for the working directory where a directory descriptor is asked for (AT_FDCWD).</summary>
    public static SafeFileHandle WorkingDirectory { get; } = new(-100, ownsHandle: false);

    /// <summary>
    /// openat(2). With <see cref="OpenFlags.Temporary"/>, <paramref name="name"/> is the directory in which the nameless file is made.
    /// </summary>
    public static Errno Open(SafeFileHandle dir, ReadOnlySpan<byte> name, OpenFlags flags, out SafeFileHandle file, uint mode = 0)
    {
        bool held = false;
        try
        {
            dir.DangerousAddRef(ref held);
            var native = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
            fixed (byte* p = native)
            {
                int fd;
                do
                {
                    fd = Native.OpenAt((int)dir.DangerousGetHandle(), p, OpenFlagValues.Of(flags), mode);
                }
                while (fd < 0 && LastError() == Errno.EINTR);

                file = new SafeFileHandle(fd, ownsHandle: true);
                return fd < 0 ? LastError() : Errno.None;
            }
        }
        finally
        {
            if (held)
            {
                dir.DangerousRelease();
            }
        }
    }

    /// <summary>
    /// openat2(2) for a path of several components. The path must stay below <paramref name="dir"/> and contain no symbolic link
    /// (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS). Linux 5.6 and later.
    /// </summary>
    public static Errno OpenBeneath(SafeFileHandle dir, ReadOnlySpan<byte> path, OpenFlags flags, out SafeFileHandle file) =>
        OpenResolved(dir, path, flags, ResolveBeneathNoSymlinks, out file);

    /// <summary>
    /// openat2(2) for a path of several components as it would be in a process whose root is <paramref name="dir"/>: symbolic links are followed, and
    /// neither they nor ".." lead out of it (RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS). Linux 5.6 and later.
    /// </summary>
    public static Errno OpenInRoot(SafeFileHandle dir, ReadOnlySpan<byte> path, OpenFlags flags, out SafeFileHandle file) =>
        OpenResolved(dir, path, flags, ResolveInRoot, out file);

    private static Errno OpenResolved(SafeFileHandle dir, ReadOnlySpan<byte> path, OpenFlags flags, ulong resolve, out SafeFileHandle file)
    {
        bool held = false;
        try
        {
            dir.DangerousAddRef(ref held);
            var native = new NativeName(path, stackalloc byte[NativeName.StackBytes]);
            var how = new OpenHow { Flags = (ulong)OpenFlagValues.Of(flags), Resolve = resolve };
            fixed (byte* p = native)
            {
                nint fd;
                int tries = 0;
                do
                {
                    fd = Native.OpenAt2(OpenAt2Number, dir.DangerousGetHandle(), p, &how, sizeof(OpenHow));
                }
                while (fd < 0 && (LastError() == Errno.EINTR || (LastError() == Errno.EAGAIN && ++tries < MostRenames)));

                file = new SafeFileHandle(fd, ownsHandle: true);
                return fd < 0 ? LastError() : Errno.None;
            }
        }
        finally
        {
            if (held)
            {
                dir.DangerousRelease();
            }
        }
    }

    /// <summary>
    /// linkat(2): gives the inode of <paramref name="oldName"/> another name. For a symbolic link, the link itself gets the name.
    /// </summary>
    public static Errno Link(SafeFileHandle oldDir, ReadOnlySpan<byte> oldName, SafeFileHandle newDir, ReadOnlySpan<byte> newName)
    {
        var from = new NativeName(oldName, stackalloc byte[NativeName.StackBytes]);
        var to = new NativeName(newName, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* pFrom = from, pTo = to)
        {
            return Result(Native.LinkAt(oldDir, pFrom, newDir, pTo, 0));
        }
    }

    /// <summary>
    /// Gives a name to an open file, such as one made with <see cref="OpenFlags.Temporary"/>. AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH
    /// before Linux 6.10; without that right the descriptor's name under /proc is linked instead.
    /// </summary>
    public static Errno LinkOpenFile(SafeFileHandle file, SafeFileHandle newDir, ReadOnlySpan<byte> newName)
    {
        var to = new NativeName(newName, stackalloc byte[NativeName.StackBytes]);
        byte empty = 0;
        fixed (byte* pTo = to)
        {
            Errno errno = Result(Native.LinkAt(file, &empty, newDir, pTo, AtEmptyPath));
            if (errno != Errno.ENOENT)
            {
                return errno;
            }

            fixed (byte* pFrom = new NativeName(ProcPath(file, default), stackalloc byte[NativeName.StackBytes]))
            {
                return Result(Native.LinkAt(-100, pFrom, newDir, pTo, AtSymlinkFollow));
            }
        }
    }

    /// <summary>symlinkat(2).</summary>
    public static Errno Symlink(ReadOnlySpan<byte> target, SafeFileHandle dir, ReadOnlySpan<byte> name)
    {
        var to = new NativeName(target, stackalloc byte[NativeName.StackBytes]);
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* pTarget = to, pName = at)
        {
            return Result(Native.SymlinkAt(pTarget, dir, pName));
        }
    }

    /// <summary>readlinkat(2). <paramref name="buffer"/> should hold 4096 bytes: no target on Linux is longer.</summary>
    public static Errno ReadLink(SafeFileHandle dir, ReadOnlySpan<byte> name, Span<byte> buffer, out int length)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at, b = buffer)
        {
            nint got = Native.ReadLinkAt(dir, p, b, buffer.Length);
            length = got < 0 ? 0 : (int)got;
            return got < 0 ? LastError() : Errno.None;
        }
    }

    /// <summary>mkdirat(2). The process's umask applies.</summary>
    public static Errno MakeDirectory(SafeFileHandle dir, ReadOnlySpan<byte> name, uint mode)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            return Result(Native.MkDirAt(dir, p, mode));
        }
    }

    /// <summary>mknodat(2) for a fifo or a device. The process's umask applies.</summary>
    public static Errno MakeNode(SafeFileHandle dir, ReadOnlySpan<byte> name, FileType type, uint mode, uint major, uint minor)
    {
        // gnu_dev_makedev of glibc's sys/sysmacros.h.
        ulong device = (minor & 0xFFUL) | ((major & 0xFFFUL) << 8) | ((minor & ~0xFFUL) << 12) | ((major & ~0xFFFUL) << 32);
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            return Result(Native.MkNodAt(dir, p, (uint)type | mode, device));
        }
    }

    /// <summary>unlinkat(2) for anything but a directory.</summary>
    public static Errno Unlink(SafeFileHandle dir, ReadOnlySpan<byte> name) => Unlink(dir, name, 0);

    /// <summary>unlinkat(2) with AT_REMOVEDIR, for an empty directory.</summary>
    public static Errno RemoveDirectory(SafeFileHandle dir, ReadOnlySpan<byte> name) => Unlink(dir, name, AtRemoveDirectory);

    /// <summary>renameat2(2): replaces <paramref name="newName"/> in one step, if it exists.</summary>
    public static Errno Rename(SafeFileHandle oldDir, ReadOnlySpan<byte> oldName, SafeFileHandle newDir, ReadOnlySpan<byte> newName) =>
        Rename(oldDir, oldName, newDir, newName, 0);

    /// <summary>renameat2(2) with RENAME_NOREPLACE: EEXIST if <paramref name="newName"/> exists.</summary>
    public static Errno RenameNew(SafeFileHandle oldDir, ReadOnlySpan<byte> oldName, SafeFileHandle newDir, ReadOnlySpan<byte> newName) =>
        Rename(oldDir, oldName, newDir, newName, RenameNoReplace);

    /// <summary>renameat2(2) with RENAME_EXCHANGE: swaps the two names in one step.</summary>
    public static Errno Exchange(SafeFileHandle oldDir, ReadOnlySpan<byte> oldName, SafeFileHandle newDir, ReadOnlySpan<byte> newName) =>
        Rename(oldDir, oldName, newDir, newName, RenameExchange);

    private static Errno Unlink(SafeFileHandle dir, ReadOnlySpan<byte> name, int flags)
    {
        var at = new NativeName(name, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* p = at)
        {
            return Result(Native.UnlinkAt(dir, p, flags));
        }
    }

    private static Errno Rename(SafeFileHandle oldDir, ReadOnlySpan<byte> oldName, SafeFileHandle newDir, ReadOnlySpan<byte> newName, uint flags)
    {
        var from = new NativeName(oldName, stackalloc byte[NativeName.StackBytes]);
        var to = new NativeName(newName, stackalloc byte[NativeName.StackBytes]);
        fixed (byte* pFrom = from, pTo = to)
        {
            return Result(Native.RenameAt2(oldDir, pFrom, newDir, pTo, flags));
        }
    }

    private static Errno LastError() => (Errno)Marshal.GetLastPInvokeError();

    private static Errno Result(int returned) => returned < 0 ? LastError() : Errno.None;
}
