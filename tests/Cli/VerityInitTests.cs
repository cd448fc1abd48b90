using System.Text.Json;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>`init --verity` where the filesystem or its kernel has no fs-verity. The real thing is in Boot/VerityBootTests.</summary>
public sealed class VerityInitTests : IDisposable
{
    private readonly CliWorld world = new(hasStore: false);

    public VerityInitTests()
    {
        // tmpfs has none on any kernel.
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        world.Shell("mkdir place && mount -t tmpfs none place").Succeeded();
    }

    public void Dispose()
    {
        Tools.Unmount(world.At("place"));
        world.Dispose();
    }

    [Fact]
    public void Required_it_is_refused_and_nothing_is_left()
    {
        world.Refuses(1, "place/objects: the store requires fs-verity, and this filesystem has none; ", ["init", "--verity", "require", "place/objects"]);
        world.Run("init", "--verity", "off", "place/objects").Succeeded();
    }

    [Fact]
    public void Automatic_it_is_told_once_and_all_works_without()
    {
        ToolResult init = world.Run("init", "--verity", "auto", "--json", "place/objects");
        Assert.Equal("auto", JsonDocument.Parse(init.Succeeded()).RootElement.GetProperty("verity").GetString());
        Assert.Contains("this filesystem has no fs-verity, so objects do without", init.Error);
        Assert.Contains("\"fs-verity\"", world.Shell("cat place/objects/format").Succeeded());
        ToolResult used = world.Shell("""
            set -e; cp -a tree place/tree; export HACKTREE_STORE=place/objects
            $H commit -q -b a --consume place/tree; $H commit -q -b b tree; $H checkout -q b place/r1
            """);
        Assert.Equal((0, ""), (used.ExitCode, used.Error));
        ToolResult fsck = world.Shell("HACKTREE_STORE=place/objects $H fsck");
        Assert.Equal((0, ""), (fsck.ExitCode, fsck.Output));
        Assert.DoesNotContain("measured", fsck.Error);
    }

    [Fact]
    public void A_copy_of_a_store_that_requires_it_can_be_read_and_says_what_it_lacks()
    {
        // A copy is without, as one that cp or rsync made elsewhere.
        world.Shell("export HACKTREE_STORE=place/objects; $H init -q && $H commit -q -b a tree").Succeeded();
        string path = world.At("place/objects/format");
        File.WriteAllBytes(path, (StoreFormat.Decode(File.ReadAllBytes(path), path) with { Verity = VerityUse.Required }).Encode());
        ToolResult fsck = world.Shell("HACKTREE_STORE=place/objects $H fsck");
        Assert.Equal(3, fsck.ExitCode);
        Assert.Contains(": it has no fs-verity, which this store requires; needed by a as etc/passwd\n", fsck.Output);
        Assert.Equal("root:x:0:0\n", world.Shell("HACKTREE_STORE=place/objects $H cat a etc/passwd").Succeeded());
        world.Shell("HACKTREE_STORE=place/objects $H checkout -q a place/r1").Succeeded();
        world.Shell("echo new > tree/new").Succeeded();
        ToolResult commit = world.Shell("HACKTREE_STORE=place/objects $H commit -b b tree");
        Assert.Equal(1, commit.ExitCode);
        Assert.True(CliWorld.IsOneSentence(commit), commit.Error);
        Assert.Contains("the store requires fs-verity, and this filesystem has none", commit.Error);
    }
}
