using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

public sealed class TreeRemovalTests() : TreeRemovalContract(TreeRemoval.Remove);

public sealed class ParallelRemovalTests() : TreeRemovalContract(ParallelRemoval.Remove);

/// <summary>The rules for removing a tree.</summary>
public abstract class TreeRemovalContract(TreeRemovalContract.Remover remove) : IDisposable
{
    public delegate void Remover(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject);

    private TempDirectory Temp { get; } = new();

    private SafeFileHandle Dir => Temp.Handle;

    public void Dispose()
    {
        Temp.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_tree_with_every_kind_of_entry_goes_and_its_neighbours_stay()
    {
        Files.Make(Dir, "beside"u8);
        using (SafeFileHandle tree = MakeDirectory(Dir, "tree"u8))
        {
            Files.Make(tree, [0xFF, (byte)'\n']);
            Files.Make(tree, [.. Enumerable.Repeat((byte)0xFE, 255)]);
            Files.Ok(Sys.Symlink("nowhere"u8, tree, "link"u8));
            Files.Ok(Sys.MakeNode(tree, "fifo"u8, FileType.Fifo, 0, 0, 0));
            for (int i = 0; i < 20; i++)
            {
                using SafeFileHandle sub = MakeDirectory(tree, [(byte)('a' + i)]);
                Files.Make(sub, "file"u8);
                MakeDirectory(sub, "empty"u8).Dispose();
            }
        }

        remove(Dir, "tree"u8, "test");
        Assert.Equal(["beside"], Files.Names(Dir));
    }

    [Fact]
    public void A_file_a_link_and_nothing_at_all_are_removed()
    {
        Files.Make(Dir, "file"u8);
        Files.Ok(Sys.Symlink("file"u8, Dir, "link"u8));
        remove(Dir, "link"u8, "test");
        Assert.Equal(["file"], Files.Names(Dir));
        remove(Dir, "file"u8, "test");
        remove(Dir, "file"u8, "test");
        Assert.Empty(Files.Names(Dir));
    }

    [Fact]
    public void What_symlinks_point_to_stays()
    {
        using SafeFileHandle outside = MakeDirectory(Dir, "outside"u8);
        Files.Make(outside, "file"u8);
        using (SafeFileHandle tree = MakeDirectory(Dir, "tree"u8))
        {
            Files.Ok(Sys.Symlink("../outside"u8, tree, "relative"u8));
            Files.Ok(Sys.Symlink(System.Text.Encoding.UTF8.GetBytes(Temp.At("outside")), tree, "absolute"u8));
            Files.Ok(Sys.Symlink(".."u8, tree, "up"u8));
        }

        remove(Dir, "tree"u8, "test");
        Files.Ok(Sys.Symlink("outside"u8, Dir, "direct"u8));
        remove(Dir, "direct"u8, "test");
        Assert.Equal(["outside"], Files.Names(Dir));
        Assert.Equal(["file"], Files.Names(outside));
    }

    [Theory]
    [InlineData(1_500, 0x1EDu)]
    [InlineData(450, 0x16Du)]
    public void Depth_does_not_matter(int depth, uint mode)
    {
        // Several times the number of directories held open at once. 20,000 was tried by hand, with a limit of 20,000 open files.
        SafeFileHandle at = MakeDirectory(Dir, "deep"u8);
        for (int i = 0; i < depth; i++)
        {
            SafeFileHandle below = MakeDirectory(at, "d"u8);
            Files.Ok(Sys.SetMode(at, mode));
            at.Dispose();
            at = below;
        }

        Files.Make(at, "file"u8);
        at.Dispose();
        remove(Dir, "deep"u8, "test");
        Assert.Empty(Files.Names(Dir));
    }

    [Theory]
    [InlineData(0x000u)]
    [InlineData(0x040u)]
    [InlineData(0x080u)]
    [InlineData(0x100u)]
    [InlineData(0x140u)]
    [InlineData(0x180u)]
    public void Directories_without_permissions_go_too(uint mode)
    {
        // This tests something only if the user is not root; see OrdinaryUserTests.
        using (SafeFileHandle tree = MakeDirectory(Dir, "tree"u8), sub = MakeDirectory(tree, "sub"u8))
        {
            Files.Make(sub, "file"u8);
            Files.Make(tree, "file"u8);
            MakeDirectory(sub, "empty"u8).Dispose();
            Files.Ok(Sys.SetMode(sub, mode));
            Files.Ok(Sys.SetMode(tree, mode));
        }

        remove(Dir, "tree"u8, "test");
        Assert.Empty(Files.Names(Dir));
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    public void The_directory_itself_and_its_parent_are_refused(string name)
    {
        using SafeFileHandle inside = MakeDirectory(Dir, "inside"u8);
        Files.Make(Dir, "outside"u8);
        Files.Make(inside, "file"u8);
        Assert.Throws<ArgumentException>(() => remove(inside, System.Text.Encoding.UTF8.GetBytes(name), "test"));
        Assert.Equal(["file"], Files.Names(inside));
        Assert.Equal(["inside", "outside"], Files.Names(Dir));
    }

    [Fact]
    public void What_is_mounted_in_a_tree_is_left_alone()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        Tools.Require("mount", "umount");
        using SafeFileHandle tree = MakeDirectory(Dir, "tree"u8), sub = MakeDirectory(tree, "sub"u8);
        using SafeFileHandle source = MakeDirectory(Dir, "source"u8);
        Files.Make(source, "file"u8);
        MakeDirectory(source, "dir"u8).Dispose();

        // A bind mount has the same device number as the directory around it.
        ToolResult mounted = Tools.Run("mount", "--bind", Temp.At("source"), Temp.At("tree/sub"));
        Assert.SkipWhen(mounted.ExitCode != 0, $"mount is not allowed here: {mounted.Error}");
        try
        {
            LinuxException e = Assert.Throws<LinuxException>(() => remove(Dir, "tree"u8, "test"));
            Assert.Equal(Errno.EBUSY, e.Errno);
            Assert.Equal(["dir", "file"], Files.Names(source));
        }
        finally
        {
            Tools.Run("umount", "--lazy", Temp.At("tree/sub")).Succeeded();
        }

        remove(Dir, "tree"u8, "test");
        Assert.Equal(["source"], Files.Names(Dir));
    }

    [Fact]
    public void What_cannot_be_removed_is_told_with_its_own_error()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make a file immutable");
        Tools.Require("chattr");
        using SafeFileHandle tree = MakeDirectory(Dir, "tree"u8);
        Files.Make(tree, "file"u8);
        Assert.SkipWhen(Tools.Run("chattr", "+i", Temp.At("tree/file")).ExitCode != 0, "this filesystem has no immutable files");
        try
        {
            LinuxException e = Assert.Throws<LinuxException>(() => remove(Dir, "tree"u8, "test"));
            Assert.Equal((Errno.EPERM, "unlinkat"), (e.Errno, e.Call));
            e = Assert.Throws<LinuxException>(() => remove(tree, "file"u8, "test"));
            Assert.Equal((Errno.EPERM, "unlinkat"), (e.Errno, e.Call));
        }
        finally
        {
            Tools.Run("chattr", "-i", Temp.At("tree/file")).Succeeded();
        }
    }

    [Fact]
    public void No_descriptor_is_left_open()
    {
        using SafeFileHandle tree = MakeDirectory(Dir, "tree"u8);
        string target = Temp.At("tree");
        for (byte i = (byte)'a'; i < (byte)'k'; i++)
        {
            MakeDirectory(tree, [i]).Dispose();
        }

        remove(Dir, "tree"u8, "test");
        string[] open = [.. Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(fd => new FileInfo(fd).LinkTarget ?? "")
            .Where(path => path.StartsWith(target + "/", StringComparison.Ordinal))];
        Assert.Empty(open);
    }

    private static SafeFileHandle MakeDirectory(SafeFileHandle dir, ReadOnlySpan<byte> name)
    {
        Files.Ok(Sys.MakeDirectory(dir, name, 0x1ED));
        return Files.OpenDirectory(dir, name);
    }
}
