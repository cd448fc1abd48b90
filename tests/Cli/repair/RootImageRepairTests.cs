using System.Text.Json;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli.Repair;

/// <summary>`fsck --repair` of roots that are images: the image is made again from the commit.</summary>
public sealed class RootImageRepairTests : IDisposable
{
    private const string MakeKernel = """
        mkdir -p tree/boot tree/usr/lib/modules/6.9; ln -s usr/lib tree/lib; echo kernel > tree/boot/vmlinuz-6.9; cd tree/usr/lib/modules/6.9; : > modules.dep
        printf 'kernel/%s.ko\n' fs/erofs/erofs fs/overlayfs/overlay drivers/block/loop > modules.builtin
        """;

    private const string Flip = "printf x | dd of=r1/hacktree.erofs bs=1 seek=1100 conv=notrunc status=none";

    private readonly CliWorld world = new();

    public RootImageRepairTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root makes a root that is an image");
        world.Shell(MakeKernel).Succeeded();
        world.Commit("a");
        world.Shell("$H checkout -q --boot --composefs a r1").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(Flip)]
    [InlineData(": > r1/hacktree.erofs")]
    [InlineData("rm r1/hacktree.erofs")]
    [InlineData("ln -sf /etc/passwd r1/hacktree.erofs")]
    public void A_damaged_or_missing_image_is_made_again_from_the_commit(string damage)
    {
        string before = Image("r1"), time = Time();
        world.Shell($"t=$(stat -c %y r1); {damage}; touch -d \"$t\" r1").Succeeded();
        string damaged = world.Listing();
        ToolResult found = world.Run("fsck");
        Assert.Equal(3, found.ExitCode);
        Assert.Contains($"roots/r1.json: the root's image {world.At("r1/hacktree.erofs")}: it is missing, or it is not the image of", found.Output);
        ToolResult planned = world.Run("fsck", "--repair", "--dry-run");
        Assert.Equal((3, damaged), (planned.ExitCode, world.Listing()));
        Assert.Contains("; it would be made again from the commit\n", planned.Output);
        ToolResult done = world.Run("fsck", "--repair");
        Assert.True(done.ExitCode == 0, done.Error + done.Output);
        Assert.Contains("; made again from the commit\n", done.Output);
        AssertWhole(before, "r1");
        Assert.Equal(time, Time());
    }

    /// <summary>Not of repair, but of the same roots: one that was moved has no hardlinks that keep its objects, and gc cannot tell it from one that is gone.</summary>
    [Fact]
    public void Gc_keeps_the_commit_of_an_image_that_is_not_where_it_was_made()
    {
        string objects = world.Shell("mkdir elsewhere; mv r1 elsewhere; $H refs delete a; ls -R objects/files").Succeeded();
        ToolResult collected = world.Run("gc", "--json");
        Assert.Equal("r1", JsonDocument.Parse(collected.Succeeded()).RootElement.GetProperty("imagesMissing")[0].GetString());
        Assert.Contains("hacktree: r1: this root was an image and is not where it was made; its commit is kept", collected.Error);
        Assert.Equal(objects, world.Shell("ls -R objects/files").Succeeded());
        world.Shell("mv elsewhere/r1 .; $H fsck; $H roots check r1; mv r1 elsewhere").Succeeded();

        world.Run("roots", "rm", "r1").Succeeded();
        Assert.DoesNotContain("image", world.Run("gc").Error);
        Assert.Empty(Directory.EnumerateFiles(world.At("objects/files"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Roots_that_shared_the_damaged_image_share_the_new_one()
    {
        string before = Image("r1");
        world.Shell($"$H checkout -q --boot --composefs a r2; [ r1/hacktree.erofs -ef r2/hacktree.erofs ]; {Flip}").Succeeded();
        JsonElement repair = JsonDocument.Parse(world.Run("fsck", "--repair", "--json").Succeeded()).RootElement;
        JsonElement[] problems = [.. repair.GetProperty("problems").EnumerateArray()];
        Assert.Equal(["damaged-root-image", "damaged-root-image"], problems.Select(problem => problem.GetProperty("kind").GetString()));
        Assert.Equal(["r1", "r2"], problems.Select(problem => problem.GetProperty("root").GetString()));
        Assert.Equal(world.At("r1/hacktree.erofs"), problems[0].GetProperty("place").GetString());
        JsonElement items = repair.GetProperty("repair").GetProperty("items");
        Assert.Equal(["made", "made"], items.EnumerateArray().Select(item => item.GetProperty("state").GetString()));
        AssertWhole(before, "r1");
        AssertWhole(before, "r2");
        world.Shell("[ r1/hacktree.erofs -ef r2/hacktree.erofs ]").Succeeded();
    }

    [Fact]
    public void An_image_in_a_root_whose_turn_another_process_has_is_left_and_told()
    {
        world.Shell(Flip).Succeeded();
        using var store = ObjectStore.Open(world.At("objects"), stop: TestContext.Current.CancellationToken);
        using (store.Roots.TakeTurn("r1", "r1"))
        {
            ToolResult result = world.Run("fsck", "--repair");
            Assert.Equal(3, result.ExitCode);
            Assert.Contains("not made again: ", result.Output);
            Assert.Contains("another process is at work on it", result.Output);
        }
    }

    [Theory]
    [InlineData("linkat")]
    [InlineData("renameat,renameat2")]
    [InlineData("utimensat")]
    [InlineData("fsync")]
    public void Killed_at_each_call_it_leaves_the_old_image_or_the_new_one_and_the_next_run_finishes_it(string calls)
    {
        Tools.Require("strace");
        string before = Image("r1");
        bool wasKilled = true;
        int number = 0;
        while (wasKilled)
        {
            number++;
            world.Shell(Flip).Succeeded();
            string flipped = Image("r1");
            string kill = $"-e trace={calls} -e inject={calls}:signal=KILL:when={number}";
            wasKilled = world.Shell($"strace -f -qq -o /dev/null -P $PWD/r1 {kill} $H fsck --repair").ExitCode != 0;
            Assert.Contains(Image("r1").Split(' ')[0], new[] { before.Split(' ')[0], flipped.Split(' ')[0] });
            world.Run("fsck", "--repair").Succeeded();
            AssertWhole(before, "r1");
        }

        Assert.True(number > 1, "it was not killed");
    }

    /// <summary>The image's digest and mode, and the names in the root's directory.</summary>
    private string Image(string root) =>
        world.Shell($"echo $(sha256sum < {root}/hacktree.erofs) $(stat -c %a {root}/hacktree.erofs) $(ls -A {root})").Succeeded();

    private string Time() => world.Shell("stat -c %y r1").Succeeded();

    private void AssertWhole(string before, string root)
    {
        Assert.Equal(before, Image(root));
        world.Run("fsck").Succeeded();
        world.Run("roots", "check", root).Succeeded();
    }
}
