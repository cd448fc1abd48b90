using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Objects whose content was changed behind the store's back: no command gives it away as if it were the commit's.</summary>
public sealed class DamagedObjectTests : IDisposable
{
    // Has three pieces of 512 KiB, so that a reader has some of them before the damage is known.
    private const string MakeBig = "head -c 1500000 /dev/zero | tr '\\0' y > tree/etc/big";

    private readonly CliWorld world = new();

    public DamagedObjectTests() => Assert.SkipUnless(Sys.IsRoot, "only root can write to every object");

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("cat", "etc/passwd")]
    [InlineData("cat", "etc/big")]
    [InlineData("export --tar out.tar", "etc/passwd")]
    [InlineData("export --tar out.tar", "etc/big")]
    [InlineData("checkout --copy", "etc/passwd")]
    [InlineData("checkout --copy", "etc/big")]
    [InlineData("checkout --boot", "etc/passwd")]
    public void Damaged_content_is_refused_with_file_object_and_commit(string command, string file)
    {
        world.Shell(MakeBig).Succeeded();
        string commit = world.Commit();
        string damaged = Damage(file);
        string before = world.Listing();
        string last = command == "cat" ? file : command.StartsWith("checkout", StringComparison.Ordinal) ? "r1" : "";
        ToolResult result = world.Shell($"$H {command} debian/test {last} | wc -c; exit ${{PIPESTATUS[0]}}");
        Assert.Equal(1, result.ExitCode);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.Contains($"{file} of commit {commit[..16]} (object {world.At(damaged)}): its content is not what its name says; ", result.Error);
        Assert.Contains("`hacktree fsck`", result.Error);

        // All that came out are whole pieces, and never the last one.
        Assert.Equal(command == "cat" && file == "etc/big" ? 2 * 524288 : 0, int.Parse(result.Output));
        Assert.Equal(before, world.Listing());
    }

    [Theory]
    [InlineData("etc/passwd")]
    [InlineData("etc/big")]
    public void An_archive_on_a_pipe_does_not_look_whole(string file)
    {
        world.Shell(MakeBig).Succeeded();
        world.Commit();
        Damage(file);
        ToolResult result = world.Shell("$H export debian/test --tar - 2> words | tar -t > names 2> tar; echo ${PIPESTATUS[*]}; cat words");
        Assert.StartsWith("1 2\nhacktree: ", result.Output);
        Assert.Contains($"{file} of commit ", result.Output);
    }

    [Fact]
    public void A_fifo_in_the_place_of_an_object_is_refused_at_once()
    {
        world.Commit();
        string path = ObjectOf("etc/passwd");
        world.Shell($"rm {path}; mkfifo {path}").Succeeded();
        world.Refuses(1, $"(object {world.At(path)}): it is not a regular file; ", ["cat", "debian/test", "etc/passwd"]);
        world.Refuses(1, $"(object {world.At(path)}): it is not a regular file; ", ["export", "debian/test", "--tar", "out.tar"]);
    }

    [Theory]
    [InlineData("--copy")]
    [InlineData("-q")]
    public void A_checkout_names_the_file_whose_object_is_missing(string method)
    {
        world.Commit();
        string path = ObjectOf("usr/bin/hi");
        world.Shell($"rm {path}").Succeeded();
        world.Refuses(1, $"{world.At("r1")}/usr/bin/hi of commit ", ["checkout", method, "debian/test", "r1"]);
    }

    [Fact]
    public void A_clone_is_compared_if_the_object_was_written_to()
    {
        using var disk = new LoopFilesystem("xfs", 300, "-m", "reflink=1");
        world.Shell($"$H --store {disk.At("objects")} init -q; $H --store {disk.At("objects")} commit -q -b a tree").Succeeded();
        world.Shell($"printf X | dd of=$(grep -rl root:x {disk.At("objects")}/files) conv=notrunc status=none").Succeeded();
        ToolResult result = world.Run("--store", disk.At("objects"), "checkout", "--reflink", "a", disk.At("r1"));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("r1/etc/passwd of commit ", result.Error);
        Assert.Contains("its content is not what its name says", result.Error);
        Assert.False(Directory.Exists(disk.At("r1")));
    }

    [Theory]
    [InlineData("commit -q -b again tree")]
    [InlineData("commit -q -b again --tar good.tar")]
    [InlineData("commit -q -b again --consume tree")]
    public void A_commit_of_the_good_tree_heals_damaged_objects_and_says_so(string command)
    {
        world.Shell(MakeBig).Succeeded();
        world.Shell("tar -C tree -cf good.tar .").Succeeded();
        world.Commit();
        world.Run("checkout", "-q", "debian/test", "r1").Succeeded();
        string large = Damage("etc/big"), small = Damage("etc/passwd");
        world.Shell($"chmod 644 {small}; touch {ObjectOf("usr/bin/hi")}; rm -f objects/cache/manifest").Succeeded();
        ToolResult result = world.Shell($"$H {command}");
        Assert.Equal(0, result.ExitCode);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.Contains("3 damaged objects were replaced by the right content: ", result.Error);
        Assert.Contains(large["objects/".Length..], result.Error);
        Assert.Contains("roots that were checked out before keep the damaged file", result.Error);
        Assert.Equal("", world.Run("fsck").Succeeded());
        world.Shell("$H checkout -q debian/test r2 && tail -c 1 r2/etc/passwd | grep -qv X && tail -c 1 r2/etc/big | grep -q y").Succeeded();
        Assert.Equal("", world.Shell("$H commit -q -b again --tar good.tar > /dev/null").Error);
    }

    /// <summary>Changes the last byte of a file's object, and sets its time back. Returns the object's path.</summary>
    private string Damage(string file)
    {
        string path = ObjectOf(file);
        world.Shell($"m=$(stat -c %y {path}); printf X | dd of={path} bs=1 seek=$(($(stat -c %s {path}) - 1)) conv=notrunc status=none; touch -d \"$m\" {path}").Succeeded();
        return path;
    }

    private string ObjectOf(string file) =>
        world.Shell($"for f in $(find objects/files -type f); do if cmp -s $f tree/{file}; then echo $f; fi; done").Succeeded().Trim();
}
