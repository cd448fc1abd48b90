using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli.Repair;

/// <summary>`fsck --repair` of damaged and missing packs: trees and commits come from other packs, stores, remotes and directories.</summary>
public sealed class RepairPackTests : IDisposable
{
    private readonly CliWorld world = new();

    public RepairPackTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root's stores keep a directory's tree as it is");
        world.Commit("a");
        world.Shell("set -e; mkdir other; $H --store other/objects init -q; cp -r objects/packs objects/refs objects/files other/objects; $H push -q a $PWD/layout").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("printf XYZ | dd of=$p bs=1 seek=90 conv=notrunc status=none", "other")]
    [InlineData("printf XYZ | dd of=$p bs=1 seek=90 conv=notrunc status=none", "layout")]
    [InlineData("truncate -s 100 $p", "other")]
    [InlineData("truncate -s 100 $p", "layout")]
    [InlineData("rm $p", "other")]
    [InlineData("rm $p; mkdir $p; rmdir $p; ln -s /etc/passwd $p", "layout")]
    public void A_damaged_pack_is_rebuilt_from_a_store_or_a_remote(string damage, string from)
    {
        string before = world.Shell("$H log a; $H ls -R a").Succeeded();
        world.Shell($"p=$(echo objects/packs/*.pack); {damage}; rm objects/files/*/*.0755.*").Succeeded();
        string[] repair = ["fsck", "--repair", "--from", from];
        string listing = world.Listing();
        Assert.Equal(3, world.Run([.. repair, "--dry-run"]).ExitCode);
        Assert.Equal(listing, world.Listing());
        ToolResult result = world.Run(repair);
        Assert.True(result.ExitCode == 0, result.Error + result.Output);
        Assert.Contains("usr/bin/hi; made again from ", result.Output);
        Assert.Equal("", world.Run("fsck").Succeeded());
        Assert.Equal(before, world.Shell("$H log a; $H ls -R a").Succeeded());
        world.Run("gc").Succeeded();
    }

    [Theory]
    [InlineData("mkdir $p")]
    [InlineData("mkdir $p; echo mine > $p/file")]
    public void A_directory_in_the_place_of_a_pack_stays_and_a_dry_run_says_so(string make)
    {
        world.Shell($"p=$(echo objects/packs/*.pack); rm $p; {make}").Succeeded();
        string pack = world.Shell("echo $PWD/objects/packs/*.pack").Succeeded().TrimEnd();
        string[] repair = ["fsck", "--repair", "--from", "other"];
        ToolResult planned = world.Run([.. repair, "--dry-run"]), done = world.Run(repair);
        foreach (ToolResult result in (ToolResult[])[planned, done])
        {
            Assert.Equal(3, result.ExitCode);
            Assert.Contains($".pack: it is not a regular file; move it away, or remove it: `rm -r {pack}`; not removed: it is a directory\n", result.Output);
        }

        Assert.Contains("2 problems, 1 would be repaired, 1 left", planned.Error);
        Assert.Contains("2 problems, 1 repaired, 1 left", done.Error);
        Assert.Contains($"`rm -r {pack}`", world.Run("gc").Error);
        world.Shell($"rm -r {pack}").Succeeded();
        Assert.Equal("", world.Run("fsck").Succeeded());
        world.Run("gc").Succeeded();
    }

    [Fact]
    public void A_tree_comes_from_a_directory_that_is_as_it_was()
    {
        // The commit is in another pack too, as after a second ref was committed.
        world.Shell("""
            set -e; first=$(echo objects/packs/*.pack); echo new > tree/etc/new; touch -d '2024-05-06 07:08:09Z' tree/etc/new tree/etc; $H commit -q -b a tree > /dev/null
            printf XYZ | dd of=$first bs=1 seek=90 conv=notrunc status=none
            $H -q fsck --repair | grep 'there is no good copy'; cp -a tree old; rm old/etc/new; touch -d '2024-05-06 07:08:09Z' old/etc
            $H -q fsck --repair --from old || test $? = 3
            """).Succeeded();
        string output = world.Run("fsck").Output;
        Assert.DoesNotContain("tree ", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pack_whose_content_is_elsewhere_goes_without_a_source()
    {
        world.Shell("""
            set -e; cp objects/packs/*.pack keep; echo b > tree/b; $H commit -q -b a tree > /dev/null; $H gc -q
            cp keep objects/packs/$(sha256sum < keep | cut -d' ' -f1).pack; printf XYZ | dd of=objects/packs/$(sha256sum < keep | cut -d' ' -f1).pack bs=1 seek=90 conv=notrunc status=none
            """).Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.True(result.ExitCode is 0 or 3, result.Error);
        Assert.Equal(result.ExitCode, world.Run("fsck").ExitCode);
    }

    [Fact]
    public void Without_a_source_nothing_is_removed_and_all_is_listed()
    {
        world.Shell("printf XYZ | dd of=$(echo objects/packs/*.pack) bs=1 seek=90 conv=notrunc status=none").Succeeded();
        string before = world.Listing();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Equal((3, before), (result.ExitCode, world.Listing()));
        Assert.Contains("; not all that is needed of it is elsewhere, so it stays\n", result.Output);
        Assert.Contains("there is no good copy\n", result.Output);
    }
}
