using System.Globalization;
using System.Runtime.InteropServices;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Linux;

/// <summary>Compares every constant and structure in the code with the C headers of this machine.</summary>
public sealed class HeaderConstantTests
{
    private const string Head = """
        #define _GNU_SOURCE
        #include <dirent.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/btrfs.h>
        #include <linux/fs.h>
        #include <linux/fsverity.h>
        #include <linux/kexec.h>
        #include <linux/loop.h>
        #include <linux/magic.h>
        #include <linux/mount.h>
        #include <linux/openat2.h>
        #include <poll.h>
        #include <sched.h>
        #include <signal.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <sys/file.h>
        #include <sys/ioctl.h>
        #include <sys/resource.h>
        #include <sys/stat.h>
        #include <sys/statvfs.h>
        #include <sys/syscall.h>
        #include <sys/vfs.h>
        #include <time.h>
        #include <unistd.h>
        #define DT(type) (long long)DTTOIF(type)
        int main(void) {
        """;

    private static readonly (string Expression, long Ours)[] Constants =
    [
        ("AT_FDCWD", Sys.WorkingDirectory.DangerousGetHandle()),
        ("AT_SYMLINK_NOFOLLOW", Sys.AtSymlinkNoFollow),
        ("AT_REMOVEDIR", Sys.AtRemoveDirectory),
        ("AT_SYMLINK_FOLLOW", Sys.AtSymlinkFollow),
        ("AT_NO_AUTOMOUNT", Sys.AtNoAutomount),
        ("AT_EMPTY_PATH", Sys.AtEmptyPath),
        ("RENAME_NOREPLACE", Sys.RenameNoReplace),
        ("RENAME_EXCHANGE", Sys.RenameExchange),
        ("SYS_openat2", Sys.OpenAt2Number),
        ("RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS", (long)Sys.ResolveBeneathNoSymlinks),
        ("RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS", (long)Sys.ResolveInRoot),
        ("STATX_BASIC_STATS", Sys.StatxBasicStats),
        ("STATX_ATTR_IMMUTABLE", (long)FileStatus.AttributeImmutable),
        ("STATX_ATTR_APPEND", (long)FileStatus.AttributeAppendOnly),
        ("STATX_ATTR_MOUNT_ROOT", (long)FileStatus.AttributeMountRoot),
        ("STATX_ATTR_VERITY", (long)FileStatus.AttributeVerity),
        ("FS_IOC_ENABLE_VERITY", (long)Sys.EnableVerityRequest),
        ("FS_IOC_MEASURE_VERITY", (long)Sys.MeasureVerityRequest),
        ("FS_VERITY_HASH_ALG_SHA256", Sys.VeritySha256),
        ("offsetof(struct fsverity_digest, digest)", Sys.VerityDigestOffset),
        ("offsetof(struct fsverity_digest, digest_size)", sizeof(ushort)),
        ("STATX_MNT_ID", Sys.StatxMountId),
        ("EXT4_SUPER_MAGIC", (long)FilesystemType.Ext4),
        ("XFS_SUPER_MAGIC", (long)FilesystemType.Xfs),
        ("BTRFS_SUPER_MAGIC", (long)FilesystemType.Btrfs),
        ("TMPFS_MAGIC", (long)FilesystemType.Tmpfs),
        ("CLOCK_REALTIME_COARSE", Sys.ClockRealtimeCoarse),
        ("POSIX_FADV_SEQUENTIAL", Sys.AdviceSequential),
        ("POSIX_FADV_DONTNEED", Sys.AdviceDoNotNeed),
        ("SEEK_DATA", Sys.SeekData),
        ("SEEK_HOLE", Sys.SeekHole),
        ("F_SETSIG", Sys.SetSignal),
        ("F_SETLEASE", Sys.SetLease),
        ("F_RDLCK", Sys.ReadLease),
        ("F_UNLCK", Sys.NoLease),
        ("F_UNLCK", Sys.NoLock),
        ("F_WRLCK", Sys.WriteLock),
        ("F_OFD_GETLK", Sys.GetOpenFileLock),
        ("SIGURG", Sys.SignalUrgent),
        ("FICLONE", (long)Sys.FiClone),
        ("BTRFS_IOC_FS_INFO", (long)Sys.BtrfsFsInfo),
        ("offsetof(struct btrfs_ioctl_fs_info_args, fsid)", Sys.BtrfsUuidOffset),
        ("ST_RDONLY", Sys.StatfsReadOnly),
        ("SYS_kexec_file_load", Sys.KexecFileLoadNumber),
        ("KEXEC_FILE_UNLOAD", Sys.KexecUnload),
        ("LOCK_SH", (long)LockKind.Shared),
        ("LOCK_EX", (long)LockKind.Exclusive),
        ("LOCK_NB", Sys.LockNonBlocking),
        ("LOCK_UN", Sys.LockRelease),
        ("POLLIN", Sys.PollIn),
        ("RLIMIT_NOFILE", Sys.LimitOpenFiles),
        ("CLONE_NEWNS", Sys.CloneNewNamespace),
        ("SYS_open_tree", Sys.OpenTreeNumber),
        ("SYS_move_mount", Sys.MoveMountNumber),
        ("SYS_mount_setattr", Sys.MountSetAttrNumber),
        ("OPEN_TREE_CLONE", Sys.OpenTreeClone),
        ("OPEN_TREE_CLOEXEC", Sys.OpenTreeCloseOnExec),
        ("MOVE_MOUNT_F_EMPTY_PATH", Sys.MoveMountEmptyPath),
        ("MOVE_MOUNT_T_EMPTY_PATH", Sys.MoveMountToEmptyPath),
        ("SYS_fsopen", Sys.OpenFilesystemNumber),
        ("SYS_fsconfig", Sys.ConfigureFilesystemNumber),
        ("SYS_fsmount", Sys.MountFilesystemNumber),
        ("FSOPEN_CLOEXEC", Sys.OpenFilesystemCloseOnExec),
        ("FSMOUNT_CLOEXEC", Sys.MountFilesystemCloseOnExec),
        ("FSCONFIG_SET_FLAG", Sys.SetFlag),
        ("FSCONFIG_SET_STRING", Sys.SetString),
        ("FSCONFIG_CMD_CREATE", Sys.CreateFilesystem),
        ("LOOP_CTL_GET_FREE", (long)Sys.GetFreeLoop),
        ("LOOP_CONFIGURE", (long)Sys.ConfigureLoop),
        ("LO_FLAGS_READ_ONLY", Sys.LoopReadOnly),
        ("LO_FLAGS_AUTOCLEAR", Sys.LoopAutoClear),
        ("sizeof(struct loop_config)", Sys.LoopConfigSize),
        ("offsetof(struct loop_config, info.lo_flags)", Sys.LoopFlagsOffset),
        ("F_WRLCK", Sys.WriteLease),
        ("MOUNT_ATTR_RDONLY", (long)Sys.MountReadOnly),
        ("O_RDONLY", (long)OpenFlags.ReadOnly),
        ("O_WRONLY", (long)OpenFlags.WriteOnly),
        ("O_RDWR", (long)OpenFlags.ReadWrite),
        ("O_CLOEXEC", OpenFlagValues.CloseOnExec),
        ("O_NOCTTY", OpenFlagValues.NoControllingTerminal),
        ("O_CREAT", OpenFlagValues.Create),
        ("O_EXCL", OpenFlagValues.Exclusive),
        ("O_TRUNC", OpenFlagValues.Truncate),
        ("O_APPEND", OpenFlagValues.Append),
        ("O_NONBLOCK", OpenFlagValues.NonBlocking),
        ("O_DIRECTORY", OpenFlagValues.Directory),
        ("O_NOFOLLOW", OpenFlagValues.NoFollow),
        ("O_PATH", OpenFlagValues.Path),
        ("O_TMPFILE", OpenFlagValues.Temporary),
        ("O_NOATIME", OpenFlagValues.NoAccessTime),
        ("S_IFIFO", (long)FileType.Fifo),
        ("S_IFCHR", (long)FileType.CharacterDevice),
        ("S_IFDIR", (long)FileType.Directory),
        ("S_IFBLK", (long)FileType.BlockDevice),
        ("S_IFREG", (long)FileType.Regular),
        ("S_IFLNK", (long)FileType.Symlink),
        ("S_IFSOCK", (long)FileType.Socket),
        ("DT(DT_UNKNOWN)", (long)FileType.Unknown),
        ("DT(DT_FIFO)", (long)FileType.Fifo),
        ("DT(DT_CHR)", (long)FileType.CharacterDevice),
        ("DT(DT_DIR)", (long)FileType.Directory),
        ("DT(DT_BLK)", (long)FileType.BlockDevice),
        ("DT(DT_REG)", (long)FileType.Regular),
        ("DT(DT_LNK)", (long)FileType.Symlink),
        ("DT(DT_SOCK)", (long)FileType.Socket),
        ("offsetof(struct dirent64, d_ino)", DirectoryReader.InodeOffset),
        ("offsetof(struct dirent64, d_reclen)", DirectoryReader.RecordLengthOffset),
        ("offsetof(struct dirent64, d_type)", DirectoryReader.TypeOffset),
        ("offsetof(struct dirent64, d_name)", DirectoryReader.NameOffset),
    ];

    [Fact]
    public void Constants_are_those_of_the_C_headers() => Compare(Constants);

    [Fact]
    public void Open_flags_become_those_of_the_C_headers() => Compare(
    [
        ("O_CLOEXEC | O_NOCTTY", OpenFlagValues.Of(OpenFlags.ReadOnly)),
        ("O_CLOEXEC | O_NOCTTY | O_RDWR", OpenFlagValues.Of(OpenFlags.ReadWrite)),
        ("O_CLOEXEC | O_NOCTTY | O_WRONLY | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK", OpenFlagValues.Of(
            OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.Truncate | OpenFlags.Append | OpenFlags.NonBlocking)),
        ("O_CLOEXEC | O_NOCTTY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME", OpenFlagValues.Of(
            OpenFlags.Directory | OpenFlags.NoFollow | OpenFlags.NoAccessTime)),
        ("O_CLOEXEC | O_NOCTTY | O_TMPFILE | O_RDWR", OpenFlagValues.Of(OpenFlags.Temporary | OpenFlags.ReadWrite)),
        ("O_CLOEXEC | O_PATH | O_NOFOLLOW", OpenFlagValues.Of(OpenFlags.Path | OpenFlags.NoFollow)),
    ]);

    [Fact]
    public void Error_numbers_are_those_of_the_C_headers() => Compare(
        [.. Enum.GetValues<Errno>().Where(errno => errno != Errno.None).Select(errno => (errno.ToString(), (long)errno))]);

    [Fact]
    public void Structures_are_those_of_the_C_headers()
    {
        // The bytes count up, so the first byte of each field is its offset.
        byte[] counting = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        RawStatx statx = MemoryMarshal.Read<RawStatx>(counting);
        OpenHow how = MemoryMarshal.Read<OpenHow>(counting);
        VerityArgument verity = MemoryMarshal.Read<VerityArgument>(counting);
        MountAttributes mount = MemoryMarshal.Read<MountAttributes>(counting);
        TimeSpec time = MemoryMarshal.Read<TimeSpec>(counting);
        RLimit limit = MemoryMarshal.Read<RLimit>(counting);
        PollFd poll = MemoryMarshal.Read<PollFd>(counting);
        RawFileLock held = MemoryMarshal.Read<RawFileLock>(counting);
        RawStatfs statfs = MemoryMarshal.Read<RawStatfs>(counting);
        Compare(
        [
            ("sizeof(struct statx)", SizeOf(statx)),
            .. Fields("statx",
                ("stx_mask", statx.Mask), ("stx_blksize", statx.BlockSize), ("stx_attributes", (long)statx.Attributes), ("stx_nlink", statx.Nlink),
                ("stx_uid", statx.Uid), ("stx_gid", statx.Gid), ("stx_mode", statx.Mode), ("stx_ino", (long)statx.Ino), ("stx_size", (long)statx.Size),
                ("stx_blocks", (long)statx.Blocks), ("stx_attributes_mask", (long)statx.AttributesMask),
                ("stx_atime.tv_sec", statx.Atime.Seconds), ("stx_btime.tv_sec", statx.Btime.Seconds), ("stx_ctime.tv_sec", statx.Ctime.Seconds),
                ("stx_ctime.tv_nsec", statx.Ctime.Nanoseconds), ("stx_mtime.tv_sec", statx.Mtime.Seconds), ("stx_mtime.tv_nsec", statx.Mtime.Nanoseconds),
                ("stx_rdev_major", statx.RdevMajor), ("stx_rdev_minor", statx.RdevMinor), ("stx_dev_major", statx.DevMajor), ("stx_dev_minor", statx.DevMinor)),
            ("sizeof(struct open_how)", SizeOf(how)),
            .. Fields("open_how", ("flags", (long)how.Flags), ("mode", (long)how.Mode), ("resolve", (long)how.Resolve)),
            ("sizeof(struct fsverity_enable_arg)", SizeOf(verity)),
            .. Fields("fsverity_enable_arg",
                ("version", verity.Version), ("hash_algorithm", verity.HashAlgorithm), ("block_size", verity.BlockSize), ("salt_size", verity.SaltSize)),
            ("sizeof(struct mount_attr)", SizeOf(mount)),
            .. Fields("mount_attr", ("attr_set", (long)mount.Set), ("attr_clr", (long)mount.Clear)),
            ("sizeof(struct timespec)", SizeOf(time)),
            .. Fields("timespec", ("tv_sec", time.Seconds), ("tv_nsec", time.Nanoseconds)),
            ("sizeof(struct rlimit)", SizeOf(limit)),
            .. Fields("rlimit", ("rlim_cur", (long)limit.Soft), ("rlim_max", (long)limit.Hard)),
            ("sizeof(struct pollfd)", SizeOf(poll)),
            .. Fields("pollfd", ("fd", poll.File), ("events", poll.Asked), ("revents", poll.Found)),
            ("sizeof(struct flock)", SizeOf(held)),
            .. Fields("flock", ("l_type", held.Type), ("l_whence", held.Whence), ("l_start", held.Start), ("l_len", held.Length), ("l_pid", held.Process)),
            ("sizeof(struct statfs)", SizeOf(statfs)),
            .. Fields("statfs", ("f_type", statfs.Type)),
        ]);
    }

    private static IEnumerable<(string Expression, long Ours)> Fields(string structure, params (string Name, long Value)[] fields) =>
        fields.Select(field => ($"offsetof(struct {structure}, {field.Name})", field.Value & 0xFF));

    private static long SizeOf<T>(T value)
        where T : struct => MemoryMarshal.AsBytes(new Span<T>(ref value)).Length;

    private static void Compare((string Expression, long Ours)[] values)
    {
        string? compiler = Tools.Find("cc") ?? Tools.Find("gcc");
        Assert.SkipWhen(compiler is null, "there is no C compiler (cc or gcc)");
        using var directory = new TempDirectory();
        string body = string.Concat(values.Select(value => $"printf(\"%lld\\n\", (long long)({value.Expression}));\n"));
        File.WriteAllText(directory.At("constants.c"), $"{Head}\n{body}return 0;\n}}\n");
        ToolResult compiled = Tools.Run(compiler, "-o", directory.At("constants"), directory.At("constants.c"));
        Assert.SkipWhen(compiled.ExitCode != 0 && compiled.Error.Contains("fatal error", StringComparison.Ordinal), $"a C header is missing: {compiled.Error}");
        compiled.Succeeded();
        string[] lines = Tools.Run(directory.At("constants")).Succeeded().TrimEnd().Split('\n');
        Assert.Equal(values.Length, lines.Length);
        Assert.Equal(
            values.Zip(lines, (value, line) => $"{value.Expression} = {line}"),
            values.Select(value => string.Create(CultureInfo.InvariantCulture, $"{value.Expression} = {value.Ours}")));
    }
}
