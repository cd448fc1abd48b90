using System.Globalization;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

public sealed class MetadataTests : IDisposable
{
    private TempDirectory Temp { get; } = new();

    private SafeFileHandle Dir => Temp.Handle;

    public void Dispose() => Temp.Dispose();

    [Fact]
    public void Status_is_what_the_stat_program_prints()
    {
        Tools.Require("stat");
        Files.Make(Dir, "file"u8, Content.Of(10_000));
        Files.Ok(Sys.SetMode(Dir, "file"u8, 0xDED));
        Files.Ok(Sys.Link(Dir, "file"u8, Dir, "second"u8));
        Files.Ok(Sys.MakeDirectory(Dir, "dir"u8, 0x1C9));
        Files.Ok(Sys.Symlink("file"u8, Dir, "link"u8));
        Files.Ok(Sys.MakeNode(Dir, "fifo"u8, FileType.Fifo, 0x180, 0, 0));
        string[] paths = [Temp.At("file"), Temp.At("second"), Temp.At("dir"), Temp.At("link"), Temp.At("fifo"), Temp.Path, "/", "/dev/null", "/dev/tty", "/etc"];
        const string Format = "--format=%f %h %u %g %i %Hd %Ld %s %b %.9Y %.9Z %Hr %Lr";
        string[] lines = Tools.Run("stat", [Format, .. paths]).Succeeded().TrimEnd().Split('\n');
        Assert.Equal(lines, paths.Select(path => Describe(Files.Stat(Sys.WorkingDirectory, System.Text.Encoding.UTF8.GetBytes(path)))));
    }

    [Fact]
    public void An_open_file_and_its_name_tell_the_same()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8, "content"u8);
        Files.Ok(Sys.Stat(file, out FileStatus open));
        Assert.Equal(Describe(Files.Stat(Dir, "file"u8)), Describe(open));
        Assert.Equal(Errno.ENOENT, Sys.Stat(Dir, "missing"u8, out FileStatus none));
        Assert.Equal((FileType.Unknown, 0), (none.Type, none.Size));
        Assert.Equal(Errno.ENOTDIR, Sys.Stat(file, "x"u8, out _));
    }

    [Fact]
    public void A_mount_is_told_from_a_directory()
    {
        Assert.False(Files.Stat(Sys.WorkingDirectory, "/etc"u8).IsMountRoot);
        Assert.False(Files.Stat(Dir, "."u8).IsMountRoot);
        Assert.SkipUnless(File.Exists("/proc/self/status"), "there is no /proc");
        Assert.SkipWhen(Environment.OSVersion.Version < new Version(5, 8), "Linux 5.8 and later tell mounts");
        Assert.True(Files.Stat(Sys.WorkingDirectory, "/proc"u8).IsMountRoot);
    }

    [Fact]
    public void All_twelve_bits_of_the_mode_are_set()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        for (int bit = 0; bit < 12; bit++)
        {
            ushort mode = (ushort)(1 << bit);
            Files.Ok(Sys.SetMode(file, mode));
            Assert.Equal(mode, Files.Stat(Dir, "file"u8).Mode);
            Files.Ok(Sys.SetMode(Dir, "file"u8, (uint)(mode ^ 0xFFF)));
            Assert.Equal(mode ^ 0xFFF, Files.Stat(Dir, "file"u8).Mode);
        }
    }

    [Fact]
    public void Times_before_1970_and_after_2100_are_kept()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        long[] times = [0, -1, -1_000_000_000, int.MaxValue, int.MaxValue + 1L, 4_102_444_801, 8_000_000_000];
        foreach (long time in times)
        {
            Files.Ok(Sys.SetTime(file, time));
            FileTime kept = Files.Stat(Dir, "file"u8).ModifyTime;
            Assert.SkipWhen(time > int.MaxValue && kept.Seconds == int.MaxValue, "this filesystem's times end in 2038");
            Assert.Equal(new FileTime(time, 0), kept);
            Files.Ok(Sys.SetTime(Dir, "file"u8, time ^ 1));
            Assert.Equal(new FileTime(time ^ 1, 0), Files.Stat(Dir, "file"u8).ModifyTime);
        }

        Assert.True(Files.Stat(Dir, "file"u8).ChangeTime > new FileTime(1_700_000_000, 0));
    }

    [Fact]
    public void The_time_and_owner_of_a_symlink_are_its_own()
    {
        Files.Make(Dir, "file"u8);
        FileTime before = Files.Stat(Dir, "file"u8).ModifyTime;
        Files.Ok(Sys.Symlink("file"u8, Dir, "link"u8));
        Files.Ok(Sys.SetTime(Dir, "link"u8, 12345));
        Assert.Equal(12345, Files.Stat(Dir, "link"u8).ModifyTime.Seconds);
        Assert.Equal(before, Files.Stat(Dir, "file"u8).ModifyTime);
        Assert.SkipUnless(Sys.IsRoot, "only root can give files away");
        Files.Ok(Sys.SetOwner(Dir, "link"u8, 1234, 4_000_000_000));
        Assert.Equal((1234u, 4_000_000_000u), (Files.Stat(Dir, "link"u8).Uid, Files.Stat(Dir, "link"u8).Gid));
        Assert.Equal(0u, Files.Stat(Dir, "file"u8).Uid);
    }

    [Fact]
    public void Owners_are_set_by_descriptor_and_name()
    {
        using SafeFileHandle file = Files.Create(Dir, "file"u8);
        if (!Sys.IsRoot)
        {
            Assert.Equal(Errno.EPERM, Sys.SetOwner(file, 0, 0));
            Assert.Equal(Errno.EPERM, Sys.SetOwner(Dir, "file"u8, 0, 0));
            Files.Ok(Sys.SetOwner(file, Sys.EffectiveUid, Sys.EffectiveGid));
            return;
        }

        Files.Ok(Sys.SetMode(file, 0xDED));
        Files.Ok(Sys.SetOwner(file, 1, 4_000_000_000));
        FileStatus status = Files.Stat(Dir, "file"u8);
        Assert.Equal((1u, 4_000_000_000u), (status.Uid, status.Gid));
        Assert.Equal(0x1ED, status.Mode);
        Files.Ok(Sys.SetOwner(Dir, "file"u8, 2, 3));
        Assert.Equal((2u, 3u), (Files.Stat(Dir, "file"u8).Uid, Files.Stat(Dir, "file"u8).Gid));
    }

    [Fact]
    public void Points_in_time_are_ordered()
    {
        FileTime[] sorted = [new(long.MinValue, 0), new(-1, 0), new(-1, 999_999_999), new(0, 0), new(0, 1), new(1, 0), new(long.MaxValue, 0)];
        for (int i = 0; i < sorted.Length; i++)
        {
            for (int j = 0; j < sorted.Length; j++)
            {
                Assert.Equal(i < j, sorted[i] < sorted[j]);
                Assert.Equal(i > j, sorted[i] > sorted[j]);
                Assert.Equal(i <= j, sorted[i] <= sorted[j]);
                Assert.Equal(i >= j, sorted[i] >= sorted[j]);
            }
        }
    }

    private static string Describe(in FileStatus status) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(int)status.Type | status.Mode:x} {status.LinkCount} {status.Uid} {status.Gid} {status.Inode} {status.Device >> 32} {(uint)status.Device} " +
        $"{status.Size} {status.AllocatedBytes / 512} {Describe(status.ModifyTime)} {Describe(status.ChangeTime)} {status.DeviceMajor} {status.DeviceMinor}");

    private static string Describe(FileTime time) => string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}.{time.Nanoseconds:D9}");

    [Fact]
    public void No_file_is_dated_before_the_earliest_time_asked_for_before_it_was_written()
    {
        using var directory = new TempDirectory();
        for (int i = 0; i < 2000; i++)
        {
            FileTime earliest = Sys.EarliestFileTime();
            File.WriteAllText(directory.At("f"), "x");
            Sys.Stat(Sys.WorkingDirectory, System.Text.Encoding.UTF8.GetBytes(directory.At("f")), out FileStatus status).ThrowIfFailed("statx", "f");
            Assert.False(status.ModifyTime < earliest, $"{status.ModifyTime} < {earliest}");
        }
    }

    [Fact]
    public void The_mode_of_a_name_is_set_and_that_of_what_a_link_leads_to_is_not()
    {
        Files.Make(Dir, "file"u8, Content.Of(10));
        Files.Ok(Sys.SetMode(Dir, "file"u8, 0x180));
        Files.Ok(Sys.Symlink("file"u8, Dir, "link"u8));
        Assert.Equal(Errno.EOPNOTSUPP, Sys.SetMode(Dir, "link"u8, 0xFFF));
        Files.Ok(Sys.MakeNode(Dir, "fifo"u8, FileType.Fifo, 0x180, 0, 0));
        Files.Ok(Sys.SetMode(Dir, "fifo"u8, 0x1B6));
        Files.Ok(Sys.MakeDirectory(Dir, "closed"u8, 0));
        Files.Ok(Sys.SetMode(Dir, "closed"u8, 0x3FF));
        Assert.Equal(
            "600 666 1777", Tools.Run("stat", "--format=%a", Temp.At("file"), Temp.At("fifo"), Temp.At("closed")).Succeeded().TrimEnd().Replace('\n', ' '));
    }
}
