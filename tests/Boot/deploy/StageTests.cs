using HackTree.Boot;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>What `deploy --stage` leaves, and what the shutdown does with it, on a disk that is not booted. BisectBootTests boots one.</summary>
public sealed class StageTests : IDisposable
{
    private readonly DeployWorld world = new();

    public StageTests()
    {
        world.Shell("cp boot/grub/grubenv before; mkdir $T/etc/d; echo theirs > $T/etc/d/x; $H commit -q -b os $T");
        using var store = ObjectStore.OpenToWrite(world.At("disk/objects"));
        var request = new DeployRequest(Revision.Resolve(store, "os"), "os", 2, Force: true);
        Deployment.Stage(store, request, Deployment.Plan(store, request));
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_root_goes_on_trial_at_the_end_with_what_was_edited_in_etc_meanwhile()
    {
        Assert.Equal("r0: default; r1: staged", world.States());
        world.Shell("cmp boot/grub/grubenv before; echo late > r0/etc/late; echo mine > r0/etc/debian_version; [ ! -e r1/etc/late ]");
        Assert.Contains("r1 is on trial from the next boot on", world.Try("$H deploy finish").Error, StringComparison.Ordinal);
        Assert.Equal("r0: default; r1: trial 2", world.States());
        Assert.Equal("late mine theirs\n", world.Shell("cd r1/etc; echo $(cat late debian_version d/x); [ ! -e ../../var/lib/hacktree/staged ]"));
        Assert.Contains("nothing is staged", world.Try("$H deploy finish").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void It_is_not_removed_and_a_rollback_forgets_it()
    {
        Assert.Contains("the machine would boot it next", world.Try("$H roots rm r1").Error, StringComparison.Ordinal);
        Assert.Contains("r1, a root of os, is on trial already", world.Try("$H upgrade --force os").Error, StringComparison.Ordinal);
        Assert.Contains("r1 is staged", world.Try("$H bisect os^ os").Error, StringComparison.Ordinal);
        world.Shell("$H gc --keep 0 > /dev/null");
        Assert.Equal("r0: default; r1: staged", world.States());
        Assert.Equal("r0\n", world.Shell("$H rollback"));
        Assert.Equal("r0: default; r1: spare", world.States());
        world.Shell("$H gc --keep 0 > /dev/null; $H fsck -q");
        Assert.Equal("r0: default", world.States());
    }

    [Fact]
    public void After_a_power_cut_the_machine_boots_what_it_booted_before()
    {
        world.Shell("cp var/lib/hacktree/staged whole; sed -i 's/^boot .*/boot 0/' var/lib/hacktree/staged");
        Assert.Equal("r0: default; r1: spare", world.States());
        Assert.Contains("nothing is staged", world.Try("$H deploy finish; cmp boot/grub/grubenv before").Error, StringComparison.Ordinal);
        foreach (string change in new[] { "s/staged 1/staged 2/", "s/^tries .*/tries x/", "5,$d", "s/no$/maybe/", "$a more" })
        {
            ToolResult refused = world.Try($"sed '{change}' whole > var/lib/hacktree/staged; $H deploy finish");
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("var/lib/hacktree/staged: it is not as this version writes it", refused.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_shutdown_that_kills_it_leaves_what_booted_or_the_root_on_trial()
    {
        world.Shell("for i in $(seq 200); do echo $i > r0/etc/own$i; done");
        for (int i = 0; i < 8; i++)
        {
            world.Shell($"timeout -s KILL 0.{Random.Shared.Next(100, 500)} $H deploy finish > /dev/null 2>&1 || true; $H roots check r0 > /dev/null || true");
            Assert.StartsWith("r0: default; r1: ", world.States(), StringComparison.Ordinal);
            world.Shell("grep -q hacktree_trial boot/grub/grubenv || cmp boot/grub/grubenv before");
        }

        world.Shell("$H deploy finish; [ $(cat r1/etc/own200) = 200 ]");
        Assert.Equal("r0: default; r1: trial 2", world.States());
    }

    [Fact]
    public void Only_a_system_that_runs_on_a_root_of_the_store_can_stage()
    {
        ToolResult refused = world.Try("$H rollback; $H deploy --stage --force os");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("this system runs on no root of the store", refused.Error, StringComparison.Ordinal);
        Assert.Equal("r0: default; r1: spare", world.States());
    }
}
