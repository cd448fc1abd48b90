using System.Text;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

public sealed class DirectoryReaderTests
{
    [Fact]
    public void Each_of_20000_names_of_any_bytes_comes_once()
    {
        using var directory = new TempDirectory();
        HashSet<string> made = ["file"];
        Files.Make(directory.Handle, "file"u8);
        byte[] name = [.. Enumerable.Repeat((byte)0xFF, 255)];
        for (int i = 0; i < 20_000; i++)
        {
            // Names of 255 bytes, and short ones; without zero bytes and slashes, and none of them UTF-8.
            for (int place = 0; place < 4; place++)
            {
                name[place] = (byte)(0x80 | (i >> (5 * place) & 0x1F));
            }

            ReadOnlySpan<byte> used = i % 10 == 0 ? name : name.AsSpan(0, 5);
            Files.Ok(Sys.Link(directory.Handle, "file"u8, directory.Handle, used));
            Assert.True(made.Add(Encoding.Latin1.GetString(used)));
        }

        var reader = new DirectoryReader();
        reader.Start(directory.Handle, directory.Path);
        while (reader.Next())
        {
            Assert.True(made.Remove(Encoding.Latin1.GetString(reader.Name)), "a name twice, or one that was never made");
            Assert.True(reader.Type is FileType.Regular or FileType.Unknown);
        }

        Assert.Empty(made);
        Assert.False(reader.Next());
    }

    [Fact]
    public void The_directory_itself_and_its_parent_are_left_out_but_not_names_like_theirs()
    {
        using var directory = new TempDirectory();
        string[] names = ["...", "..a", ".a", "a.", "\n", " "];
        foreach (string name in names)
        {
            Files.Make(directory.Handle, Encoding.UTF8.GetBytes(name));
        }

        Assert.Equal(names.Order(StringComparer.Ordinal), Files.Names(directory.Handle));
    }

    [Fact]
    public void An_entry_comes_with_its_inode_and_after_the_last_one_there_is_no_name()
    {
        using var directory = new TempDirectory();
        Files.Make(directory.Handle, "a"u8);
        Files.Make(directory.Handle, "b"u8);
        var reader = new DirectoryReader();
        reader.Start(directory.Handle, directory.Path);
        while (reader.Next())
        {
            Assert.Equal(Files.Stat(directory.Handle, reader.Name).Inode, reader.Inode);
        }

        Assert.True(reader.Name.IsEmpty);
    }

    [Fact]
    public void One_reader_serves_many_directories_and_an_empty_one()
    {
        using var directory = new TempDirectory();
        var reader = new DirectoryReader();
        for (byte i = (byte)'a'; i < (byte)'f'; i++)
        {
            Files.Ok(Sys.MakeDirectory(directory.Handle, [i], 0x1C0));
            using SafeFileHandle sub = Files.OpenDirectory(directory.Handle, [i]);
            reader.Start(sub, "sub");
            Assert.False(reader.Next());
            Files.Make(sub, [i, i]);
            using SafeFileHandle again = Files.OpenDirectory(directory.Handle, [i]);
            reader.Start(again, "sub");
            Assert.True(reader.Next());
            Assert.Equal((byte[])[i, i], reader.Name.ToArray());
            Assert.False(reader.Next());
        }
    }

    [Fact]
    public void Starting_again_shows_what_was_added_since_the_directory_was_opened()
    {
        using var directory = new TempDirectory();
        var reader = new DirectoryReader();
        for (byte i = (byte)'a'; i < (byte)'d'; i++)
        {
            Files.Make(directory.Handle, [i]);
            reader.Start(directory.Handle, directory.Path);
            for (byte j = (byte)'a'; j <= i; j++)
            {
                Assert.True(reader.Next());
            }

            Assert.False(reader.Next());
        }
    }

    [Fact]
    public void Every_type_is_told()
    {
        using var directory = new TempDirectory();
        Files.Make(directory.Handle, "file"u8);
        Files.Ok(Sys.MakeDirectory(directory.Handle, "dir"u8, 0x1ED));
        Files.Ok(Sys.Symlink("nowhere"u8, directory.Handle, "link"u8));
        Files.Ok(Sys.MakeNode(directory.Handle, "fifo"u8, FileType.Fifo, 0x180, 0, 0));
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(directory.At("socket")));
        Dictionary<string, FileType> expected = new()
        {
            ["file"] = FileType.Regular,
            ["dir"] = FileType.Directory,
            ["link"] = FileType.Symlink,
            ["fifo"] = FileType.Fifo,
            ["socket"] = FileType.Socket,
        };
        var reader = new DirectoryReader();
        reader.Start(directory.Handle, directory.Path);
        while (reader.Next())
        {
            Assert.True(expected.Remove(Encoding.UTF8.GetString(reader.Name), out FileType type));
            Assert.True(reader.Type == type || reader.Type == FileType.Unknown);
            Assert.Equal(type, Files.Stat(directory.Handle, reader.Name).Type);
        }

        Assert.Empty(expected);
    }

    [Fact]
    public void What_is_no_directory_fails_with_its_name()
    {
        using var directory = new TempDirectory();
        using SafeFileHandle file = Files.Create(directory.Handle, "file"u8);
        var reader = new DirectoryReader();
        reader.Start(file, "the/file");
        LinuxException e = Assert.Throws<LinuxException>(() => reader.Next());
        Assert.Equal((Errno.ENOTDIR, "getdents64", "the/file"), (e.Errno, e.Call, e.Subject));
        Assert.Equal("the/file: not a directory", e.Message);
    }
}
