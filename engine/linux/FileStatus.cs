using System.Runtime.InteropServices;

namespace HackTree.Linux;

/// <summary>The type of a directory entry: the file-type bits of st_mode (inode(7)).</summary>
public enum FileType
{
    /// <summary>Not told (getdents64 may answer DT_UNKNOWN).</summary>
    Unknown = 0,
    /// <summary>A named pipe.</summary>
    Fifo = 0x1000,
    /// <summary>A character device.</summary>
    CharacterDevice = 0x2000,
    /// <summary>A directory.</summary>
    Directory = 0x4000,
    /// <summary>A block device.</summary>
    BlockDevice = 0x6000,
    /// <summary>A regular file.</summary>
    Regular = 0x8000,
    /// <summary>A symbolic link.</summary>
    Symlink = 0xA000,
    /// <summary>A UNIX domain socket.</summary>
    Socket = 0xC000,
}

/// <summary>A point in time as the kernel keeps it: seconds since 1970 (may be negative) and nanoseconds 0..999,999,999.</summary>
public readonly record struct FileTime(long Seconds, uint Nanoseconds) : IComparable<FileTime>
{
    /// <summary>The clock's time, in steps of 100 ns.</summary>
    public static FileTime Now
    {
        get
        {
            TimeSpan now = DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch;
            return new FileTime((long)now.TotalSeconds, (uint)(now.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick));
        }
    }

    /// <summary>Nanoseconds since 1970. A 64-bit number holds those of the years 1678 to 2262.</summary>
    public long ToNanoseconds() => (Seconds * TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick) + Nanoseconds;

    /// <inheritdoc/>
    public int CompareTo(FileTime other) =>
        Seconds != other.Seconds ? Seconds.CompareTo(other.Seconds) : Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>Whether one time is before another.</summary>
    public static bool operator <(FileTime left, FileTime right) => left.CompareTo(right) < 0;

    /// <summary>Whether one time is after another.</summary>
    public static bool operator >(FileTime left, FileTime right) => left.CompareTo(right) > 0;

    /// <summary>Whether one time is before another or the same.</summary>
    public static bool operator <=(FileTime left, FileTime right) => left.CompareTo(right) <= 0;

    /// <summary>Whether one time is after another or the same.</summary>
    public static bool operator >=(FileTime left, FileTime right) => left.CompareTo(right) >= 0;
}

/// <summary>What statx(2) tells about an inode.</summary>
public readonly struct FileStatus
{
    internal const ulong AttributeMountRoot = 0x2000;
    internal const ulong AttributeImmutable = 0x10;
    internal const ulong AttributeAppendOnly = 0x20;
    internal const ulong AttributeVerity = 0x100000;

    private readonly RawStatx raw;

    internal FileStatus(in RawStatx raw) => this.raw = raw;

    /// <summary>The file type.</summary>
    public FileType Type => (FileType)(raw.Mode & 0xF000);

    /// <summary>The 12 permission bits: rwx for user, group and others, set-uid, set-gid, sticky.</summary>
    public ushort Mode => (ushort)(raw.Mode & FileModes.AllBits);

    /// <summary>Number of names of this inode.</summary>
    public uint LinkCount => raw.Nlink;

    /// <summary>Owner.</summary>
    public uint Uid => raw.Uid;

    /// <summary>Group.</summary>
    public uint Gid => raw.Gid;

    /// <summary>Inode number; with <see cref="Device"/> it identifies a file of a running system.</summary>
    public ulong Inode => raw.Ino;

    /// <summary>The filesystem's device number, major in the upper 32 bits.</summary>
    public ulong Device => ((ulong)raw.DevMajor << 32) | raw.DevMinor;

    /// <summary>Size in bytes.</summary>
    public long Size => (long)raw.Size;

    /// <summary>Space on disk, in bytes (st_blocks counts 512-byte units on every filesystem).</summary>
    public long AllocatedBytes => (long)raw.Blocks * 512;

    /// <summary>Time of the last change of the content.</summary>
    public FileTime ModifyTime => new(raw.Mtime.Seconds, raw.Mtime.Nanoseconds);

    /// <summary>Time of the last change of the inode. Programs cannot set it.</summary>
    public FileTime ChangeTime => new(raw.Ctime.Seconds, raw.Ctime.Nanoseconds);

    /// <summary>When the inode was made. Programs cannot set it. Null if the filesystem does not tell.</summary>
    public FileTime? BirthTime => (raw.Mask & Sys.StatxBirthTime) != 0 ? new FileTime(raw.Btime.Seconds, raw.Btime.Nanoseconds) : null;

    /// <summary>For a device node, its major number.</summary>
    public uint DeviceMajor => raw.RdevMajor;

    /// <summary>For a device node, its minor number.</summary>
    public uint DeviceMinor => raw.RdevMinor;

    /// <summary>Whether a filesystem or a bind mount is mounted on this entry. Always false before Linux 5.8.</summary>
    public bool IsMountRoot => (raw.Attributes & raw.AttributesMask & AttributeMountRoot) != 0;

    /// <summary>The number of the mount through which the entry was found, as in mountinfo. Null before Linux 5.8.</summary>
    public ulong? MountId => (raw.Mask & Sys.StatxMountId) != 0 ? raw.MountId : null;

    /// <summary>Whether the inode is immutable (chattr +i): it cannot be changed, and gets and loses no name.</summary>
    public bool IsImmutable => (raw.Attributes & raw.AttributesMask & AttributeImmutable) != 0;

    /// <summary>Whether a file can only be appended to (chattr +a): it gets and loses no name either.</summary>
    public bool IsAppendOnly => (raw.Attributes & raw.AttributesMask & AttributeAppendOnly) != 0;

    /// <summary>
    /// Whether the kernel refuses writes to the file, and compares all reads with a digest (fs-verity). btrfs tells that, and does not say in the mask that
    /// it does.
    /// </summary>
    public bool HasVerity => (raw.Attributes & AttributeVerity) != 0;

    /// <summary>Whether nobody can remove the file, because it is immutable or append-only (chattr +i, +a).</summary>
    public bool IsFixed => IsImmutable || IsAppendOnly;
}

/// <summary>struct statx of linux/stat.h, 256 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
internal struct RawStatx
{
    public uint Mask, BlockSize;
    public ulong Attributes;
    public uint Nlink, Uid, Gid;
    public ushort Mode, Spare0;
    public ulong Ino, Size, Blocks, AttributesMask;
    public RawStatxTime Atime, Btime, Ctime, Mtime;
    public uint RdevMajor, RdevMinor, DevMajor, DevMinor;
    public ulong MountId;
}

/// <summary>struct statx_timestamp of linux/stat.h, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RawStatxTime
{
    public long Seconds;
    public uint Nanoseconds;
    public int Reserved;
}
