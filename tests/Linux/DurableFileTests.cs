using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Linux;

/// <summary>Files that take their place whole, on each filesystem.</summary>
public sealed class DurableFileTests
{
    public static TheoryData<string, int> Filesystems => new() { { "ext4", 16 }, { "xfs", 300 }, { "btrfs", 120 } };

    [Theory]
    [MemberData(nameof(Filesystems))]
    public void A_file_has_its_name_when_it_is_whole(string type, int megabytes)
    {
        using var disk = new LoopFilesystem(type, megabytes);
        InEachDirectory(disk.Path);
    }

    [Fact]
    public void What_a_killed_process_left_goes_when_the_file_is_written_again_and_what_is_in_use_stays()
    {
        using var place = new TempDirectory();
        string left = $"out.{new string('a', 32)}.partial", used = $"out.{new string('b', 32)}.partial", fresh = $"out.{new string('c', 32)}.partial";
        string[] others = [$"other.{new string('a', 32)}.partial", "out.partial", $"out.{new string('x', 32)}.partial"];
        foreach (string name in (string[])["out", left, used, .. others])
        {
            File.WriteAllText(place.At(name), "something");
        }

        File.WriteAllText(place.At(fresh), "");
        Files.Ok(Sys.Open(place.Handle, System.Text.Encoding.ASCII.GetBytes(used), OpenFlags.ReadOnly, out SafeFileHandle held));
        using (held)
        {
            Files.Ok(Sys.Lock(held, LockKind.Exclusive, wait: false));
            DurableFile.Write(place.Handle, "out"u8, "new"u8, 0x1A4, "out");
        }

        Assert.Equal("new", File.ReadAllText(place.At("out")));
        Assert.Equal([.. ((string[])["out", used, fresh, .. others]).Order(StringComparer.Ordinal)], Files.Names(place.Handle).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_file_has_its_name_when_it_is_whole_here()
    {
        using var temp = new TempDirectory();
        InEachDirectory(temp.Path);
    }

    [Fact]
    public void What_has_the_name_is_kept_where_that_is_asked_for()
    {
        using var temp = new TempDirectory();
        using (DurableFile file = DurableFile.Create(temp.Handle, "new"u8, FileModes.PublicFile, "subject"))
        {
            file.Append("one"u8);
            file.Complete(ExistingFile.Kept);
        }

        using DurableFile second = DurableFile.Create(temp.Handle, "new"u8, FileModes.PublicFile, "subject");
        second.Append("two"u8);
        LinuxException e = Assert.Throws<LinuxException>(() => second.Complete(ExistingFile.Kept));
        Assert.Equal((Errno.EEXIST, "subject"), (e.Errno, e.Subject));
        second.Dispose();
        Assert.Equal("one", File.ReadAllText(temp.At("new")));
        Assert.Equal(["new"], Names(temp.Path));
    }

    [Fact]
    public void A_directory_in_its_place_is_not_replaced_and_nothing_is_left()
    {
        using var temp = new TempDirectory();
        Directory.CreateDirectory(temp.At("taken"));
        using (DurableFile file = DurableFile.Create(temp.Handle, "taken"u8, FileModes.PublicFile, "subject"))
        {
            Assert.Equal(Errno.EISDIR, Assert.Throws<LinuxException>(() => file.Complete()).Errno);
        }

        Assert.Equal(["taken"], Names(temp.Path));
    }

    [Fact]
    public void Another_program_can_write_it()
    {
        using var temp = new TempDirectory();
        using (DurableFile file = DurableFile.Create(temp.Handle, "copy"u8, FileModes.PrivateFile, "subject"))
        {
            Tools.Run("sh", "-c", "echo from elsewhere > \"$1\"", "sh", file.Path).Succeeded();
            file.Complete();
        }

        Assert.Equal("from elsewhere\n", File.ReadAllText(temp.At("copy")));
        Assert.Equal(FileModes.PrivateFile, Files.Stat(temp.Handle, "copy"u8).Mode);
    }

    [Fact]
    public void Owner_and_mode_are_those_that_were_asked_for()
    {
        using var temp = new TempDirectory();
        temp.Write("like", []);
        Files.Ok(Sys.SetMode(temp.Handle, "like"u8, 0x120));
        if (Sys.IsRoot)
        {
            Files.Ok(Sys.SetOwner(temp.Handle, "like"u8, 12, 34));
        }

        FileStatus like = Files.Stat(temp.Handle, "like"u8);
        using (DurableFile file = DurableFile.Create(temp.Handle, "copy"u8, FileModes.PrivateFile, "subject"))
        {
            file.CopyOwnership(like);
            file.Complete();
        }

        FileStatus copy = Files.Stat(temp.Handle, "copy"u8);
        Assert.Equal((like.Mode, like.Uid, like.Gid), (copy.Mode, copy.Uid, copy.Gid));
        DurableFile.Write(temp.Handle, "exact"u8, [], FileModes.Permissions, "subject");
        Assert.Equal(FileModes.Permissions, Files.Stat(temp.Handle, "exact"u8).Mode);
    }

    [Fact]
    public void Staged_files_leave_nothing_in_the_staging_directory()
    {
        using var temp = new TempDirectory();
        Directory.CreateDirectory(temp.At("tmp"));
        Files.Ok(Sys.Open(temp.Handle, "tmp"u8, OpenFlags.Directory, out SafeFileHandle staging));
        using (staging)
        {
            DurableFile.WriteStaged(staging, temp.Handle, "ref"u8, "one"u8, "subject");
            DurableFile.WriteStaged(staging, temp.Handle, "ref"u8, "two"u8, "subject", isNameSynced: false);
            Assert.ThrowsAny<LinuxException>(() => DurableFile.WriteStaged(staging, temp.Handle, "tmp"u8, "three"u8, "subject"));
        }

        Assert.Equal("two", File.ReadAllText(temp.At("ref")));
        Assert.Empty(Names(temp.At("tmp")));
    }

    private static void InEachDirectory(string path)
    {
        Files.Ok(Sys.Open(Sys.WorkingDirectory, System.Text.Encoding.UTF8.GetBytes(path), OpenFlags.Directory, out SafeFileHandle directory));
        using (directory)
        {
            byte[] longest = new byte[255];
            longest.AsSpan().Fill((byte)'x');
            foreach (byte[] name in new byte[][] { [(byte)'a'], longest, [0xFF, (byte)'\n'] })
            {
                string[] before = Names(path);
                Assert.Equal(Errno.ENOENT, Sys.Stat(directory, name, out _));
                foreach (string content in new[] { "first", "second" })
                {
                    Write(directory, name, content, isCompleted: true);
                    Write(directory, name, "never seen", isCompleted: false);
                    Files.Ok(Sys.Open(directory, name, OpenFlags.ReadOnly, out SafeFileHandle file));
                    using var reader = new StreamReader(new FileStream(file, FileAccess.Read));
                    Assert.Equal(content, reader.ReadToEnd());
                }

                Assert.Equal(before.Length + 1, Names(path).Length);
            }
        }
    }

    private static void Write(SafeFileHandle directory, byte[] name, string content, bool isCompleted)
    {
        using DurableFile file = DurableFile.Create(directory, name, FileModes.PublicFile, "subject");
        file.Append(System.Text.Encoding.ASCII.GetBytes(content[..2]));
        file.Append(System.Text.Encoding.ASCII.GetBytes(content[2..]));
        if (isCompleted)
        {
            file.Complete();
        }
    }

    private static string[] Names(string path) => [.. Directory.EnumerateFileSystemEntries(path).Select(found => Path.GetFileName(found)!).Order(StringComparer.Ordinal)];
}
