using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

public sealed class FileLockTests
{
    [Theory]
    [InlineData("1: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF", 0x8_00000001, 5678, FileLockKind.Flock, 1234, 0)]
    [InlineData("12: POSIX  ADVISORY  WRITE 7 fe:00:18446744073709551615 1073741826 1073742335", 0xFE_00000000, ulong.MaxValue, FileLockKind.Posix, 7, 1073741826)]
    [InlineData("3: OFDLCK ADVISORY  READ -1 00:2d:5407312 100 101", 0x2D, 5407312, FileLockKind.OpenFile, -1, 100)]
    public void A_line_of_a_held_lock_is_read(string line, ulong device, ulong inode, FileLockKind kind, int process, long start)
    {
        Assert.True(FileLock.TryParse(line, out ulong foundDevice, out ulong found, out FileLock held));
        Assert.Equal((device, inode, new FileLock(kind, process, start)), (foundDevice, found, held));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1: -> FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF")]
    [InlineData("1: LEASE  ACTIVE    READ 1234 08:01:5678 0 EOF")]
    [InlineData("1: FLOCK  ADVISORY  READ 1234 08:01:x 0 EOF")]
    [InlineData("1: FLOCK  ADVISORY  READ 1234 <none>:0 0 EOF of something")]
    [InlineData("1: FLOCK  ADVISORY  READ 1234 08:01:5678")]
    public void Who_waits_and_what_is_something_else_is_passed_over(string line) =>
        Assert.False(FileLock.TryParse(line, out _, out _, out _));

    [Fact]
    public void A_lock_on_a_file_of_another_disk_with_the_same_inode_number_is_another_files()
    {
        using var directory = new TempDirectory();
        File.WriteAllText(directory.At("file"), "");
        Assert.Equal(Errno.None, Sys.Open(directory.Handle, "file"u8, OpenFlags.ReadOnly, out SafeFileHandle file));
        using (file)
        {
            Assert.Equal(Errno.None, Sys.Stat(file, out FileStatus status));
            Assert.Equal(Errno.None, Sys.Lock(file, LockKind.Exclusive, wait: false));
            Assert.Single(FileLock.On(status));
            Assert.Empty(FileLock.On(new FileStatus(new RawStatx { Ino = status.Inode, DevMajor = 4711 })));
        }
    }

    [Fact]
    public void A_lock_of_this_process_is_found_while_it_is_held()
    {
        using var directory = new TempDirectory();
        File.WriteAllText(directory.At("file"), "");
        Assert.Equal(Errno.None, Sys.Open(directory.Handle, "file"u8, OpenFlags.ReadOnly, out SafeFileHandle file));
        FileStatus status;
        using (file)
        {
            Assert.Equal(Errno.None, Sys.Stat(file, out status));
            Assert.Empty(FileLock.On(status));
            Assert.Equal(Errno.None, Sys.Lock(file, LockKind.Exclusive, wait: false));
            FileLock held = Assert.Single(FileLock.On(status));
            Assert.Equal((FileLockKind.Flock, Environment.ProcessId, 0), (held.Kind, held.Process, held.Start));
        }

        // Between fork and exec, a child process of another test has this descriptor too.
        Assert.True(SpinWait.SpinUntil(() => FileLock.On(status).Count == 0, TimeSpan.FromMinutes(1)));
    }
}
