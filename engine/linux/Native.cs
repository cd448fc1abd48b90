using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>The C library's entry points, as declared in its headers. Only <see cref="Sys"/> and its neighbours call them.</summary>
internal static unsafe partial class Native
{
    private const string LibC = "libc";

    [LibraryImport(LibC, EntryPoint = "openat", SetLastError = true)]
    internal static partial int OpenAt(int dir, byte* name, int flags, uint mode);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint OpenAt2(nint number, nint dir, byte* name, OpenHow* how, nint size);

    [LibraryImport(LibC, EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport(LibC, EntryPoint = "execv", SetLastError = true)]
    internal static partial int Execute(byte* path, byte** arguments);

    [LibraryImport(LibC, EntryPoint = "signal")]
    internal static partial nint Signal(int number, nint handler);

    [LibraryImport(LibC, EntryPoint = "close", SetLastError = true)]
    internal static partial int Close(int fd);

    [LibraryImport(LibC, EntryPoint = "statx", SetLastError = true)]
    internal static partial int Statx(SafeFileHandle dir, byte* name, int flags, uint mask, RawStatx* buffer);

    [LibraryImport(LibC, EntryPoint = "getdents64", SetLastError = true)]
    internal static partial nint GetDents64(SafeFileHandle dir, byte* buffer, nint size);

    [LibraryImport(LibC, EntryPoint = "lseek", SetLastError = true)]
    internal static partial long LSeek(SafeFileHandle file, long offset, int whence);

    [LibraryImport(LibC, EntryPoint = "pread", SetLastError = true)]
    internal static partial nint PRead(SafeFileHandle file, byte* buffer, nint count, long offset);

    [LibraryImport(LibC, EntryPoint = "pwrite", SetLastError = true)]
    internal static partial nint PWrite(SafeFileHandle file, byte* buffer, nint count, long offset);

    [LibraryImport(LibC, EntryPoint = "read", SetLastError = true)]
    internal static partial nint Read(SafeFileHandle file, byte* buffer, nint count);

    [LibraryImport(LibC, EntryPoint = "poll", SetLastError = true)]
    internal static partial int Poll(PollFd* files, nuint count, int milliseconds);

    [LibraryImport(LibC, EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(SafeFileHandle file, byte* buffer, nint count);

    [LibraryImport(LibC, EntryPoint = "linkat", SetLastError = true)]
    internal static partial int LinkAt(SafeFileHandle oldDir, byte* oldName, SafeFileHandle newDir, byte* newName, int flags);

    [LibraryImport(LibC, EntryPoint = "linkat", SetLastError = true)]
    internal static partial int LinkAt(int oldDir, byte* oldName, SafeFileHandle newDir, byte* newName, int flags);

    [LibraryImport(LibC, EntryPoint = "symlinkat", SetLastError = true)]
    internal static partial int SymlinkAt(byte* target, SafeFileHandle dir, byte* name);

    [LibraryImport(LibC, EntryPoint = "readlinkat", SetLastError = true)]
    internal static partial nint ReadLinkAt(SafeFileHandle dir, byte* name, byte* buffer, nint size);

    [LibraryImport(LibC, EntryPoint = "mkdirat", SetLastError = true)]
    internal static partial int MkDirAt(SafeFileHandle dir, byte* name, uint mode);

    [LibraryImport(LibC, EntryPoint = "mknodat", SetLastError = true)]
    internal static partial int MkNodAt(SafeFileHandle dir, byte* name, uint mode, ulong device);

    [LibraryImport(LibC, EntryPoint = "unlinkat", SetLastError = true)]
    internal static partial int UnlinkAt(SafeFileHandle dir, byte* name, int flags);

    [LibraryImport(LibC, EntryPoint = "renameat2", SetLastError = true)]
    internal static partial int RenameAt2(SafeFileHandle oldDir, byte* oldName, SafeFileHandle newDir, byte* newName, uint flags);

    [LibraryImport(LibC, EntryPoint = "fchmod", SetLastError = true)]
    internal static partial int FChMod(SafeFileHandle file, uint mode);

    [LibraryImport(LibC, EntryPoint = "fchmodat", SetLastError = true)]
    internal static partial int FChModAt(SafeFileHandle dir, byte* name, uint mode, int flags);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint FChModAt2(nint number, SafeFileHandle dir, byte* name, nint mode, nint flags);

    [LibraryImport(LibC, EntryPoint = "fchownat", SetLastError = true)]
    internal static partial int FChOwnAt(SafeFileHandle dir, byte* name, uint uid, uint gid, int flags);

    [LibraryImport(LibC, EntryPoint = "utimensat", SetLastError = true)]
    internal static partial int UTimeNsAt(SafeFileHandle dir, byte* name, TimeSpec* times, int flags);

    [LibraryImport(LibC, EntryPoint = "futimens", SetLastError = true)]
    internal static partial int FUTimeNs(SafeFileHandle file, TimeSpec* times);

    [LibraryImport(LibC, EntryPoint = "clock_gettime", SetLastError = true)]
    internal static partial int ClockGetTime(int clock, TimeSpec* time);

    [LibraryImport(LibC, EntryPoint = "ftruncate", SetLastError = true)]
    internal static partial int FTruncate(SafeFileHandle file, long length);

    [LibraryImport(LibC, EntryPoint = "fsync", SetLastError = true)]
    internal static partial int FSync(SafeFileHandle file);

    [LibraryImport(LibC, EntryPoint = "syncfs", SetLastError = true)]
    internal static partial int SyncFs(SafeFileHandle file);

    [LibraryImport(LibC, EntryPoint = "fstatfs", SetLastError = true)]
    internal static partial int FStatFs(SafeFileHandle file, RawStatfs* buffer);

    [LibraryImport(LibC, EntryPoint = "mount", SetLastError = true)]
    internal static partial int Mount(byte* source, byte* target, byte* type, nuint flags, byte* data);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint OpenTree(nint number, nint dir, byte* name, nint flags);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint MountSetAttr(nint number, SafeFileHandle mount, byte* name, nint flags, MountAttributes* attributes, nint size);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint MoveMount(nint number, SafeFileHandle mount, byte* name, nint toDir, byte* toName, nint flags);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint OpenFilesystem(nint number, byte* type, nint flags);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint ConfigureFilesystem(nint number, SafeFileHandle filesystem, nint command, byte* option, byte* value, nint more);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint MountFilesystem(nint number, SafeFileHandle filesystem, nint flags, nint attributes);

    [LibraryImport(LibC, EntryPoint = "umount2", SetLastError = true)]
    internal static partial int Unmount(byte* target, int flags);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint KexecFileLoad(nint number, SafeFileHandle kernel, SafeFileHandle initrd, nint lineLength, byte* line, nint flags);

    [LibraryImport(LibC, EntryPoint = "flock", SetLastError = true)]
    internal static partial int FLock(SafeFileHandle file, int operation);

    [LibraryImport(LibC, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int IoCtl(SafeFileHandle file, nuint request, nint argument);

    [LibraryImport(LibC, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Fcntl(SafeFileHandle file, int command, nint argument);

    [LibraryImport(LibC, EntryPoint = "posix_fadvise", SetLastError = true)]
    internal static partial int FAdvise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport(LibC, EntryPoint = "flistxattr", SetLastError = true)]
    internal static partial nint FListXattr(SafeFileHandle file, byte* list, nint size);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint ListXattrAt(nint number, SafeFileHandle dir, byte* name, nint flags, byte* list, nint size);

    [LibraryImport(LibC, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint GetXattrAt(nint number, SafeFileHandle dir, byte* name, nint flags, byte* attribute, XattrArguments* arguments, nint size);

    [LibraryImport(LibC, EntryPoint = "llistxattr", SetLastError = true)]
    internal static partial nint LListXattr(byte* path, byte* list, nint size);

    [LibraryImport(LibC, EntryPoint = "fgetxattr", SetLastError = true)]
    internal static partial nint FGetXattr(SafeFileHandle file, byte* name, byte* value, nint size);

    [LibraryImport(LibC, EntryPoint = "lgetxattr", SetLastError = true)]
    internal static partial nint LGetXattr(byte* path, byte* name, byte* value, nint size);

    [LibraryImport(LibC, EntryPoint = "fsetxattr", SetLastError = true)]
    internal static partial int FSetXattr(SafeFileHandle file, byte* name, byte* value, nint size, int flags);

    [LibraryImport(LibC, EntryPoint = "lsetxattr", SetLastError = true)]
    internal static partial int LSetXattr(byte* path, byte* name, byte* value, nint size, int flags);

    [LibraryImport(LibC, EntryPoint = "fremovexattr", SetLastError = true)]
    internal static partial int FRemoveXattr(SafeFileHandle file, byte* name);

    [LibraryImport(LibC, EntryPoint = "lremovexattr", SetLastError = true)]
    internal static partial int LRemoveXattr(byte* path, byte* name);

    [LibraryImport(LibC, EntryPoint = "unshare", SetLastError = true)]
    internal static partial int Unshare(int flags);

    [LibraryImport(LibC, EntryPoint = "getrandom", SetLastError = true)]
    internal static partial nint GetRandom(void* buffer, nint size, uint flags);

    [LibraryImport(LibC, EntryPoint = "geteuid")]
    internal static partial uint GetEUid();

    [LibraryImport(LibC, EntryPoint = "getegid")]
    internal static partial uint GetEGid();

    [LibraryImport(LibC, EntryPoint = "isatty")]
    internal static partial int IsATty(int fd);

    [LibraryImport(LibC, EntryPoint = "getrlimit", SetLastError = true)]
    internal static partial int GetRLimit(int resource, RLimit* limit);

    [LibraryImport(LibC, EntryPoint = "setrlimit", SetLastError = true)]
    internal static partial int SetRLimit(int resource, RLimit* limit);
}

/// <summary>struct open_how of linux/openat2.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OpenHow
{
    public ulong Flags, Mode, Resolve;
}

/// <summary>struct xattr_args of linux/xattr.h (Linux 6.13).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XattrArguments
{
    public ulong Value;
    public uint Size, Flags;
}

/// <summary>struct fsverity_enable_arg of linux/fsverity.h; what follows is zero.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct VerityArgument
{
    public uint Version, HashAlgorithm, BlockSize, SaltSize;
}

/// <summary>struct mount_attr of linux/mount.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MountAttributes
{
    public ulong Set, Clear, Propagation, UserNamespace;
}

/// <summary>struct timespec on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    public long Seconds, Nanoseconds;
}

/// <summary>struct statfs on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
internal struct RawStatfs
{
    public long Type, BlockSize;
    public ulong Blocks, FreeBlocks, AvailableBlocks, Files, FreeFiles, Identifier;
    public long NameLength, FragmentSize, Flags;
}

/// <summary>struct pollfd of poll.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int File;
    public short Asked, Found;
}

/// <summary>struct flock of fcntl.h on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RawFileLock
{
    public short Type, Whence;
    public long Start, Length;
    public int Process;
}

/// <summary>struct rlimit on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RLimit
{
    public ulong Soft, Hard;
}
