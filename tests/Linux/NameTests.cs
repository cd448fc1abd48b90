using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

/// <summary>The system calls of Sys.cs that make, move and remove names.</summary>
public sealed class NameTests : IDisposable
{
    private TempDirectory Temp { get; } = new();

    private SafeFileHandle Dir => Temp.Handle;

    public void Dispose() => Temp.Dispose();

    [Fact]
    public void A_link_is_another_name_of_the_inode()
    {
        Files.Make(Dir, "a"u8, "content"u8);
        Files.Ok(Sys.Link(Dir, "a"u8, Dir, [0xFF, (byte)'\n']));
        Assert.Equal(Files.Stat(Dir, "a"u8).Inode, Files.Stat(Dir, [0xFF, (byte)'\n']).Inode);
        Assert.Equal(2u, Files.Stat(Dir, "a"u8).LinkCount);
        Assert.Equal(Errno.EEXIST, Sys.Link(Dir, "a"u8, Dir, "a"u8));
        Assert.Equal(Errno.ENOENT, Sys.Link(Dir, "missing"u8, Dir, "b"u8));
        Files.Ok(Sys.MakeDirectory(Dir, "dir"u8, 0x1ED));
        Assert.Equal(Errno.EPERM, Sys.Link(Dir, "dir"u8, Dir, "b"u8));
    }

    [Fact]
    public void A_link_to_a_symlink_is_to_the_symlink_itself()
    {
        Files.Make(Dir, "target"u8);
        Files.Ok(Sys.Symlink("target"u8, Dir, "link"u8));
        Files.Ok(Sys.Link(Dir, "link"u8, Dir, "second"u8));
        Assert.Equal(FileType.Symlink, Files.Stat(Dir, "second"u8).Type);
        Assert.Equal(1u, Files.Stat(Dir, "target"u8).LinkCount);
    }

    [Fact]
    public void Renaming_replaces_or_not_or_exchanges()
    {
        Files.Make(Dir, "a"u8, "A"u8);
        Files.Make(Dir, "b"u8, "B"u8);
        Assert.Equal(Errno.EEXIST, Sys.RenameNew(Dir, "a"u8, Dir, "b"u8));
        Files.Ok(Sys.Exchange(Dir, "a"u8, Dir, "b"u8));
        Assert.Equal("B"u8.ToArray(), Files.Read(Dir, "a"u8));
        Assert.Equal("A"u8.ToArray(), Files.Read(Dir, "b"u8));
        Files.Ok(Sys.Rename(Dir, "a"u8, Dir, "b"u8));
        Assert.Equal("B"u8.ToArray(), Files.Read(Dir, "b"u8));
        Files.Ok(Sys.RenameNew(Dir, "b"u8, Dir, "c"u8));
        Assert.Equal(["c"], Files.Names(Dir));
        Assert.Equal(Errno.ENOENT, Sys.Exchange(Dir, "c"u8, Dir, "missing"u8));
        Assert.Equal(Errno.ENOENT, Sys.Rename(Dir, "missing"u8, Dir, "c"u8));
    }

    [Fact]
    public void Names_move_between_directories()
    {
        Files.Ok(Sys.MakeDirectory(Dir, "one"u8, 0x1ED));
        Files.Ok(Sys.MakeDirectory(Dir, "two"u8, 0x1ED));
        using SafeFileHandle one = Files.OpenDirectory(Dir, "one"u8), two = Files.OpenDirectory(Dir, "two"u8);
        Files.Make(one, "file"u8);
        Files.Ok(Sys.Link(one, "file"u8, two, "link"u8));
        Files.Ok(Sys.Rename(one, "file"u8, two, "moved"u8));
        Assert.Empty(Files.Names(one));
        Assert.Equal(["link", "moved"], Files.Names(two));
        Files.Ok(Sys.Exchange(Dir, "one"u8, Dir, "two"u8));
        Assert.Empty(Files.Names(one));
        Assert.Equal(Errno.ENOTEMPTY, Sys.RemoveDirectory(Dir, "one"u8));
        Files.Ok(Sys.RemoveDirectory(Dir, "two"u8));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(1000)]
    [InlineData(4000)]
    [InlineData(4095)]
    public void A_symlink_holds_its_target_byte_for_byte(int length)
    {
        byte[] target = [.. Enumerable.Range(1, length).Select(i => (byte)(i % 255 + 1))];
        Errno errno = Sys.Symlink(target, Dir, "link"u8);
        Assert.SkipWhen(errno == Errno.ENAMETOOLONG && length > 1023, "this filesystem has no targets that long");
        Files.Ok(errno);
        byte[] buffer = new byte[4096];
        Files.Ok(Sys.ReadLink(Dir, "link"u8, buffer, out int got));
        Assert.Equal(target, buffer[..got]);
        Assert.Equal(length, Files.Stat(Dir, "link"u8).Size);
    }

    [Fact]
    public void Symlinks_that_cannot_be_fail()
    {
        Assert.Equal(Errno.ENOENT, Sys.Symlink([], Dir, "link"u8));
        Assert.Equal(Errno.ENAMETOOLONG, Sys.Symlink(new string('t', 4096).Select(c => (byte)c).ToArray(), Dir, "link"u8));
        Files.Make(Dir, "file"u8);
        Assert.Equal(Errno.EEXIST, Sys.Symlink("t"u8, Dir, "file"u8));
        Assert.Equal(Errno.EINVAL, Sys.ReadLink(Dir, "file"u8, new byte[10], out int length));
        Assert.Equal(0, length);
    }

    [Fact]
    public void Nodes_have_the_type_mode_and_device_given()
    {
        Files.Ok(Sys.MakeNode(Dir, "fifo"u8, FileType.Fifo, 0x180, 0, 0));
        Assert.Equal((FileType.Fifo, 0x180), (Files.Stat(Dir, "fifo"u8).Type, Files.Stat(Dir, "fifo"u8).Mode));
        Assert.Equal(Errno.EEXIST, Sys.MakeNode(Dir, "fifo"u8, FileType.Fifo, 0x180, 0, 0));
        Assert.SkipWhen(Sys.MakeNode(Dir, "null"u8, FileType.CharacterDevice, 0x180, 1, 3) == Errno.EPERM, "only root can make devices");
        (uint Major, uint Minor)[] numbers = [(1, 3), (8, 255), (8, 256), (259, 0), (0, 1), (511, 262143), (4095, 1048575)];
        foreach ((uint major, uint minor) in numbers)
        {
            foreach (FileType type in (FileType[])[FileType.CharacterDevice, FileType.BlockDevice])
            {
                Errno errno = Sys.MakeNode(Dir, "device"u8, type, 0x180, major, minor);
                Assert.SkipWhen(errno == Errno.EINVAL && major > 511, "this filesystem (XFS?) has no device numbers that large");
                Files.Ok(errno);
                FileStatus status = Files.Stat(Dir, "device"u8);
                Assert.Equal((type, major, minor), (status.Type, status.DeviceMajor, status.DeviceMinor));
                Files.Ok(Sys.Unlink(Dir, "device"u8));
            }
        }

        Assert.Equal(Errno.EINVAL, Sys.MakeNode(Dir, "device"u8, FileType.BlockDevice, 0x180, 4096, 0));
    }

    [Fact]
    public void Files_and_directories_are_removed_each_by_its_own_call()
    {
        Files.Make(Dir, "file"u8);
        Files.Ok(Sys.MakeDirectory(Dir, "dir"u8, 0x1ED));
        Assert.Equal(Errno.EEXIST, Sys.MakeDirectory(Dir, "dir"u8, 0x1ED));
        Assert.Equal(Errno.EISDIR, Sys.Unlink(Dir, "dir"u8));
        Assert.Equal(Errno.ENOTDIR, Sys.RemoveDirectory(Dir, "file"u8));
        Files.Ok(Sys.Unlink(Dir, "file"u8));
        Files.Ok(Sys.RemoveDirectory(Dir, "dir"u8));
        Assert.Equal(Errno.ENOENT, Sys.Unlink(Dir, "file"u8));
        Assert.Equal(Errno.ENOENT, Sys.RemoveDirectory(Dir, "dir"u8));
        Assert.Empty(Files.Names(Dir));
    }

    [Fact]
    public void A_name_has_at_most_255_bytes_and_at_least_one()
    {
        byte[] longest = [.. Enumerable.Repeat((byte)0xFE, 255)];
        Files.Make(Dir, longest, "x"u8);
        Assert.Equal("x"u8.ToArray(), Files.Read(Dir, longest));
        Assert.Equal(Errno.ENAMETOOLONG, Sys.MakeDirectory(Dir, [.. longest, 1], 0x1ED));
        Assert.Equal(Errno.ENAMETOOLONG, Sys.Link(Dir, longest, Dir, [.. longest, 1]));
        Assert.Equal(Errno.ENAMETOOLONG, Sys.MakeDirectory(Dir, new byte[100_000].Select(_ => (byte)'n').ToArray(), 0x1ED));
        Assert.Equal(Errno.ENOENT, Sys.MakeDirectory(Dir, [], 0x1ED));
        Assert.Equal(Errno.ENOENT, Sys.Open(Dir, [], OpenFlags.ReadOnly, out SafeFileHandle none));
        Assert.True(none.IsInvalid);
    }

    [Fact]
    public void A_NUL_in_a_name_is_refused_by_every_call_and_nothing_happens()
    {
        Files.Make(Dir, "a"u8);
        byte[] bad = "a\0b"u8.ToArray(), name = "a"u8.ToArray();
        Action[] calls =
        [
            () => Sys.Open(Dir, bad, OpenFlags.ReadOnly, out _),
            () => Sys.OpenBeneath(Dir, bad, OpenFlags.ReadOnly, out _),
            () => Sys.Link(Dir, bad, Dir, "b"u8),
            () => Sys.Link(Dir, name, Dir, "b\0"u8),
            () => Sys.Symlink(bad, Dir, "b"u8),
            () => Sys.Symlink(name, Dir, "b\0"u8),
            () => Sys.ReadLink(Dir, bad, new byte[1], out _),
            () => Sys.MakeDirectory(Dir, "b\0"u8, 0),
            () => Sys.MakeNode(Dir, "b\0"u8, FileType.Fifo, 0, 0, 0),
            () => Sys.Unlink(Dir, bad),
            () => Sys.RemoveDirectory(Dir, bad),
            () => Sys.Rename(Dir, bad, Dir, "b"u8),
            () => Sys.RenameNew(Dir, name, Dir, "b\0"u8),
            () => Sys.Exchange(Dir, bad, Dir, name),
            () => Sys.Stat(Dir, bad, out _),
            () => Sys.SetMode(Dir, bad, 0),
            () => Sys.SetOwner(Dir, bad, 0, 0),
            () => Sys.SetTime(Dir, bad, 0),
            () => Sys.ListXattrs(Dir, bad, new byte[1], out _),
            () => Sys.GetXattr(Dir, bad, "user.a"u8, new byte[1], out _),
            () => Sys.GetXattr(Dir, name, "user.a\0"u8, new byte[1], out _),
            () => Sys.SetXattr(Dir, name, "user.a\0"u8, [1]),
            () => Sys.SetXattr(Dir, "user.a\0"u8, [1]),
            () => Sys.RemoveXattr(Dir, "user.a\0"u8),
            () => TreeRemoval.Remove(Dir, bad, "test"),
        ];
        Assert.All(calls, call => Assert.Throws<ArgumentException>(call));
        Assert.Equal(["a"], Files.Names(Dir));
    }
}
