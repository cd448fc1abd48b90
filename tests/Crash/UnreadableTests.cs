using System.Text;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// Disks that cannot be read: on btrfs, a file whose bytes were changed on the disk behind the filesystem's back is a
/// real input/output error (EIO), for its checksum no longer fits.
/// </summary>
public sealed class UnreadableTests : IDisposable
{
    private readonly LoopFilesystem disk;
    private readonly PhysicalRoot root;

    public UnreadableTests()
    {
        Hacktree.Require();
        disk = new LoopFilesystem("btrfs", 300, "-d", "single");
        root = new PhysicalRoot(disk.Path);
        SourceTree.Make(disk.At("source"), 1);

        // Incompressible, and of whole blocks, so that it is found on the disk as it is.
        byte[] content = Content.Of(64 * 1024);
        Encoding.ASCII.GetBytes("HackTree looks for this on the disk").CopyTo(content, 4096);
        File.WriteAllBytes(disk.At("source/broken"), content);
    }

    public void Dispose() => disk.Dispose();

    [Fact]
    public void A_file_that_cannot_be_read_ends_a_commit_in_one_sentence_that_names_it()
    {
        Damage("HackTree looks for this on the disk"u8);
        string line = root.Refused("commit", "-b", "main", disk.At("source"));
        Assert.Contains($"{disk.At("source/broken")}: input/output error", line, StringComparison.Ordinal);
        Assert.Null(root.Tip("main"));
        root.AssertSound();
        File.Delete(disk.At("source/broken"));
        root.Ok("commit", "-b", "main", disk.At("source"));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void An_object_that_cannot_be_read_is_named_by_fsck_which_reads_on()
    {
        root.Ok("commit", "-b", "main", "--consume", disk.At("source"));
        File.WriteAllText(Directory.GetFiles($"{root.Store}/files", "*", SearchOption.AllDirectories).First(path => new FileInfo(path).Length == 0), "more");
        Damage("HackTree looks for this on the disk"u8);
        ToolResult result = root.Run("fsck");
        Assert.Equal(3, result.ExitCode);
        string told = result.Output + result.Error;
        Assert.Contains("input/output error", told, StringComparison.Ordinal);
        Assert.Contains("needed by main as broken", told, StringComparison.Ordinal);

        // The other damage is found too, and a copy of the tree ends in one sentence and leaves nothing.
        Assert.Contains("its content is not what its name says", told, StringComparison.Ordinal);
        root.Refused("checkout", "--copy", "main", root.At("r1"));
        Assert.Empty(Directory.GetFileSystemEntries(root.Path, "*r1*"));
        root.Ok("gc");
    }

    [Fact]
    public void A_pack_that_cannot_be_read_is_named_and_hides_no_other()
    {
        // Names that do not compress keep the pack large enough for blocks of its own.
        Directory.CreateDirectory(disk.At("names"));
        for (int i = 0; i < 500; i++)
        {
            File.WriteAllText(disk.At($"names/{Guid.NewGuid()}"), "");
        }

        root.Ok("commit", "-b", "main", disk.At("names"));
        Damage("HTPACK1\n"u8);
        string before = root.Tip("main")!;
        foreach (string[] command in new[] { new[] { "checkout", "main", root.At("r1") }, ["ls", "main"], ["gc"], ["show", "main"] })
        {
            Assert.Contains("input/output error", root.Refused(command), StringComparison.Ordinal);
        }

        ToolResult result = root.Run("fsck");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("input/output error", result.Output + result.Error, StringComparison.Ordinal);
        Assert.Equal(before, root.Tip("main"));
        Assert.Empty(Directory.GetFileSystemEntries(root.Path, "*r1*"));
        root.Ok("commit", "-b", "other", disk.At("source"));
        root.Ok("checkout", "other", root.At("r2"));
        root.Refused("gc");
    }

    /// <summary>Changes, on the unmounted disk, a byte behind the one place where these bytes are.</summary>
    private void Damage(ReadOnlySpan<byte> marker)
    {
        disk.Unmount();
        int found = 0;
        using (FileStream image = File.Open(disk.Image, FileMode.Open))
        {
            byte[] block = new byte[4096];
            for (long offset = 0; offset < image.Length; offset += block.Length)
            {
                image.Position = offset;
                image.ReadExactly(block);
                if (block.AsSpan().StartsWith(marker))
                {
                    block[100] ^= 1;
                    image.Position = offset;
                    image.Write(block);
                    found++;
                }
            }
        }

        Assert.True(found > 0, "the file's blocks are not on the disk as they are");
        disk.Mount();
    }
}
