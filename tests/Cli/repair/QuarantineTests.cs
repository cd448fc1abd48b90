using System.Text.Json;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli.Repair;

/// <summary>`fsck --repair --quarantine`: what cannot be repaired is put aside, and the store works on.</summary>
public sealed class QuarantineTests : IDisposable
{
    private readonly CliWorld world = new();

    public QuarantineTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can write to every object");
        world.Commit("a");
        world.Shell("cp -a tree good; $H checkout -q a r1; echo odd >> r1/usr/bin/hi; chmod 640 r1/etc/passwd").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void It_is_put_aside_and_told_with_all_that_need_it_and_the_rest_is_mended()
    {
        string before = world.Listing();
        ToolResult planned = world.Run("fsck", "--repair", "--quarantine", "--dry-run");
        Assert.Equal((3, before), (planned.ExitCode, world.Listing()));
        ToolResult result = world.Run("fsck", "--repair", "--quarantine");
        Assert.Equal(3, result.ExitCode);
        Assert.Matches("; there is no good copy, so it was put aside as damaged/[^/]+~[0-9]+\n    a needs it as usr/bin/hi\n    root r1 needs it as usr/bin/hi\n", result.Output);
        Assert.Contains("2 problems, 1 repaired, in 1 file of roots too, 1 put aside: ", result.Error);
        Assert.Equal(planned.Output.Replace("would be put", "was put").Replace("would be made", "made").Replace("would be files", "is now files"), result.Output);

        // The root keeps its file.
        Assert.EndsWith("odd\n", world.Shell("cat r1/usr/bin/hi; cmp r1/usr/bin/hi objects/damaged/*.0755.*").Succeeded());
        ToolResult again = world.Run("fsck");
        Assert.Equal(3, again.ExitCode);
        Assert.Matches("^files/[^ ]*: the object is missing; needed by a as usr/bin/hi\n$", again.Output);
        Assert.Contains("it is damaged and was put aside; ", again.Error);
    }

    [Fact]
    public void No_checkout_links_it_and_what_does_not_need_it_works()
    {
        world.Run("fsck", "--repair", "--quarantine");
        world.Refuses(1, "usr/bin/hi of commit ", ["checkout", "a", "r2"]);
        world.Shell("mkdir other; echo other > other/file; $H commit -q -b other other; $H checkout -q other r3; $H gc; $H checkout -q --subpath etc a e").Succeeded();
        Assert.Equal("1\n", world.Shell("ls objects/damaged | wc -l").Succeeded());
    }

    [Theory]
    [InlineData("$H commit -q -b again good; $H fsck --repair")]
    [InlineData("$H fsck --repair --from good")]
    public void A_good_copy_makes_the_object_again_and_roots_get_it(string mend)
    {
        world.Run("fsck", "--repair", "--quarantine");
        ToolResult mended = world.Shell(mend);
        Assert.True(mended.ExitCode == 0, mended.Error + mended.Output);
        Assert.Equal("", world.Run("fsck").Succeeded());
        Assert.Equal("", world.Run("roots", "check").Succeeded());
        Assert.Equal("", world.Shell("cmp good/usr/bin/hi r1/usr/bin/hi; ls objects/damaged").Succeeded());
    }

    [Fact]
    public void It_can_be_moved_back_by_hand()
    {
        string before = world.Shell("ls -i objects/files/*/*.0755.*").Succeeded();
        world.Run("fsck", "--repair", "--quarantine");
        world.Shell("cd objects; for f in damaged/*; do n=${f#damaged/}; mv $f files/${n:0:2}/${n:2:62}${n:64:0}$(echo ${n:64} | sed 's/~.*//'); done").Succeeded();
        Assert.Equal(before, world.Shell("ls -i objects/files/*/*.0755.*").Succeeded());
        Assert.Matches("its content|needed by a as usr/bin/hi", world.Run("fsck").Output);
    }

    [Fact]
    public void What_nobody_needs_any_more_goes_with_gc()
    {
        world.Run("fsck", "--repair", "--quarantine");
        world.Shell("$H roots rm r1; $H refs delete a; $H gc").Succeeded();
        Assert.Equal("", world.Shell("ls objects/damaged").Succeeded());
        Assert.Equal("", world.Run("fsck").Succeeded());
    }

    [Fact]
    public void The_facts_are_in_json_too()
    {
        JsonElement repair = JsonDocument.Parse(world.Run("fsck", "--repair", "--quarantine", "--json").Output).RootElement.GetProperty("repair");
        JsonElement aside = repair.GetProperty("items").EnumerateArray().Single(item => item.GetProperty("state").GetString() == "put-aside");
        Assert.True(File.Exists(world.At($"objects/{aside.GetProperty("aside").GetString()}")));
        Assert.Equal(["a", "r1"], aside.GetProperty("holders").EnumerateArray().Select(holder => holder.GetProperty("name").GetString()));
        JsonElement note = JsonDocument.Parse(world.Run("fsck", "--json").Output).RootElement.GetProperty("noteFacts")[0];
        Assert.Equal(("kept-damage", false), (note.GetProperty("kind").GetString(), note.GetProperty("objectExists").GetBoolean()));
    }
}
