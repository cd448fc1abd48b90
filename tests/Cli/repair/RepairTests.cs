using System.Text.Json;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli.Repair;

/// <summary>`fsck --repair`: objects are made again from copies in the store and its roots, and roots heal with the store.</summary>
public sealed class RepairTests : IDisposable
{
    private readonly CliWorld world = new();

    public RepairTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can write to every object");
        world.Shell("cp -p tree/etc/passwd tree/etc/passwd-; chmod 640 tree/etc/passwd-; touch -d '2024-05-06 07:08:09Z' tree/etc").Succeeded();
        world.Commit("a");
        world.Shell("$H checkout -q a r1; $H checkout -q a r2").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("echo more >> r1/etc/passwd")]
    [InlineData("printf ROOT | dd of=r1/etc/passwd conv=notrunc status=none; touch -d '2024-05-06 07:08:09Z' r1/etc/passwd")]
    [InlineData(": > r1/etc/passwd")]
    [InlineData("chmod 666 r1/etc/passwd")]
    [InlineData("chown 12:34 r1/etc/passwd")]
    [InlineData("touch r1/etc/passwd")]
    [InlineData("setfattr -n user.k -v 1 r1/etc/passwd")]
    [InlineData("setfattr -n user.k -v 1 r1/usr/bin/hi; chmod 4755 r1/usr/bin/hi")]
    [InlineData("touch r1/usr/share/empty; echo x > r1/usr/share/$'bad\\377name'")]
    public void Damage_through_a_root_is_mended_in_the_store_and_in_all_roots(string damage)
    {
        string before = Trees();
        world.Shell(damage).Succeeded();
        Assert.Equal(3, world.Run("fsck").ExitCode);
        ToolResult result = world.Run("fsck", "--repair");
        Assert.True(result.ExitCode == 0, result.Error + result.Output);
        Assert.Contains("; made again from ", result.Output);
        AssertWhole(before);
    }

    [Theory]
    [InlineData("ln -s /etc/passwd F")]
    [InlineData("ln -s nowhere F")]
    [InlineData("mkfifo F")]
    [InlineData("mkdir F")]
    [InlineData("python3 -c 'from socket import *; socket(1).bind(\"s\")' && mv s F")]
    public void Something_else_in_the_place_of_a_record_keeps_no_other_root_from_being_listed_and_mended(string make)
    {
        string record = world.At("objects/roots/r1.json"), advice = $"rm {(make.StartsWith("mkdir", StringComparison.Ordinal) ? "-r " : "")}{record}";
        world.Shell($"rm {record}; {make.Replace("F", record, StringComparison.Ordinal)}; echo more >> r2/etc/passwd").Succeeded();
        ToolResult listed = world.Run("roots");
        Assert.Equal(1, listed.ExitCode);
        Assert.Contains("/r2 ", listed.Output);
        Assert.Equal($"hacktree: {record}: it is not a regular file; move it away, or remove it: `{advice}`\n", listed.Error);

        ToolResult planned = world.Run("fsck", "--repair", "--dry-run");
        Assert.Equal(3, planned.ExitCode);
        Assert.Contains("r2/etc/passwd: would be files/", planned.Output);
        ToolResult done = world.Run("fsck", "--repair");
        Assert.Equal(3, done.ExitCode);
        Assert.Contains("r2/etc/passwd: is now files/", done.Output);
        Assert.Equal("root:x:0:0\n", world.Shell("cat r2/etc/passwd").Succeeded());

        Assert.Contains($"`{advice}`", world.Run("fsck").Output);
        Assert.Contains($"`{advice}`", world.Run("gc").Error);
        world.Shell(advice).Succeeded();
        Assert.Equal("", world.Run("fsck").Succeeded());
        world.Run("gc").Succeeded();
    }

    [Fact]
    public void A_dry_run_says_all_and_changes_nothing()
    {
        world.Shell("echo more >> r1/etc/passwd; chmod 777 r2/usr/share/doc/large").Succeeded();
        string before = world.Listing();
        ToolResult planned = world.Run("fsck", "--repair", "--dry-run");
        Assert.Equal((3, before), (planned.ExitCode, world.Listing()));
        Assert.Contains("etc/passwd; would be made again from this store: files/", planned.Output);
        Assert.Contains("2 problems, 2 would be repaired, in 4 files of roots too: ", planned.Error);
        ToolResult done = world.Run("fsck", "--repair");
        Assert.Equal(0, done.ExitCode);
        Assert.Equal(planned.Output.Replace("would be made", "made").Replace("would be files", "is now files"), done.Output);
        Assert.Contains("2 problems, 2 repaired, in 4 files of roots too: ", done.Error);
    }

    [Fact]
    public void Every_root_has_the_object_again_and_a_process_keeps_the_file_it_has_open()
    {
        Assert.Equal("odd\nroot:x:0:0\n", world.Shell("""
            set -e; exec 3< r1/etc/passwd; echo odd > r1/etc/passwd
            $H -q fsck --repair > /dev/null; cat <&3; cat r1/etc/passwd
            """).Succeeded());
        Assert.Equal("1\n", world.Shell("stat -c %i r1/etc/passwd r2/etc/passwd objects/files/*/*.0600.* | sort -u | wc -l").Succeeded());
    }

    [Fact]
    public void A_missing_object_comes_back_from_a_root()
    {
        string before = Trees();
        world.Shell("rm objects/files/*/*.0755.*").Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("the object is missing; needed by a as usr/bin/hi; made again from the roots: r1/usr/bin/hi\n", result.Output);
        AssertWhole(before);
    }

    [Fact]
    public void A_root_of_copies_is_a_source()
    {
        string before = Trees();
        world.Shell("$H checkout -q --copy a r3; echo x >> r1/usr/share/doc/large").Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Contains("made again from the roots: r3/usr/share/doc/large\n", result.Output);
        AssertWhole(before);
    }

    [Fact]
    public void What_has_no_copy_is_listed_with_all_that_need_it_and_the_rest_is_mended()
    {
        world.Shell("cp tree/usr/bin/hi tree/usr/bin/hi2; chmod 755 tree/usr/bin/hi2; touch -d '2024-05-06 07:08:09Z' tree/usr/bin/hi2 tree/usr/bin").Succeeded();
        world.Commit("b");
        world.Shell("echo x >> r1/usr/bin/hi; chmod 700 r1/etc/passwd").Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("there is no good copy\n    a needs it as usr/bin/hi\n    b needs it as usr/bin/hi, usr/bin/hi2\n    root r1 needs it as usr/bin/hi\n    root r2 needs it as usr/bin/hi\n", result.Output);
        Assert.Contains("2 problems, 1 repaired, in 2 files of roots too, 1 left: ", result.Error);
        Assert.Equal(1, world.Run("fsck").Output.Count(c => c == '\n'));
    }

    [Fact]
    public void What_nothing_needs_is_left_to_gc()
    {
        world.Shell("echo alone > tree/alone; $H commit -q -b c tree > /dev/null; chmod 777 $(grep -rl ^alone objects/files); $H refs delete c").Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("nothing needs it, and `hacktree gc` removes it\n", result.Output);
        world.Run("gc").Succeeded();
        Assert.Equal("", world.Run("fsck", "--repair").Succeeded());
    }

    [Fact]
    public void What_a_commit_healed_heals_in_the_roots_afterwards()
    {
        string before = Trees();
        world.Shell("echo x >> r1/etc/passwd; $H commit -q -b again tree").Succeeded();
        Assert.Equal(3, world.Run("roots", "check").ExitCode);
        ToolResult fsck = world.Run("fsck");
        Assert.Equal((0, ""), (fsck.ExitCode, fsck.Output));
        Assert.Contains("it was damaged, and 2 files are still this inode; `hacktree fsck --repair` gives roots the object", fsck.Error);

        // gc keeps the inode as long as a root has it.
        world.Run("gc").Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Equal(0, result.ExitCode);
        Assert.Matches("^r1/etc/passwd: is now files/.*\nr2/etc/passwd: is now files/.*\n$", result.Output);
        AssertWhole(before);
    }

    [Fact]
    public void The_inode_that_a_commit_healed_is_gone_with_the_last_root()
    {
        world.Shell("echo x >> r1/etc/passwd; $H commit -q -b again tree; $H roots rm r1 r2; $H gc").Succeeded();
        Assert.Equal("", world.Shell("ls objects/damaged").Succeeded());
    }

    [Fact]
    public void A_file_that_somebody_put_into_a_root_stays()
    {
        world.Shell("echo mine > new; mv new r2/etc/passwd; chmod 777 r1/etc/passwd; rm -r r2/usr/bin; ln -s /etc r2/usr/bin; touch r1/usr/bin/hi").Succeeded();
        Assert.Equal(0, world.Run("fsck", "--repair").ExitCode);
        Assert.Equal("mine\n600\n", world.Shell("cat r2/etc/passwd; stat -c %a r1/etc/passwd").Succeeded());
        Assert.Equal(0, world.Run("roots", "check", "r1").ExitCode);
    }

    [Fact]
    public void A_name_that_no_root_accounts_for_is_told()
    {
        world.Shell("ln r1/etc/passwd elsewhere; echo x >> elsewhere").Succeeded();
        ToolResult result = world.Run("fsck", "--repair");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("the damaged files have 1 more name, outside of the store's roots", result.Error);
        Assert.Contains("1 file is still this inode", world.Run("fsck").Error);
        world.Shell("rm elsewhere; $H gc").Succeeded();
        Assert.Equal("", world.Shell("ls objects/damaged").Succeeded());
    }

    [Theory]
    [InlineData("mkdir $o; touch $o/x")]
    [InlineData("ln -s /etc/passwd $o")]
    [InlineData("mkfifo $o")]
    public void Something_else_in_the_place_of_an_object_is_put_aside(string make)
    {
        string before = Trees();
        world.Shell($"o=$(echo objects/files/*/*.0755.*); rm $o; {make}").Succeeded();
        Assert.Equal(0, world.Run("fsck", "--repair").ExitCode);
        world.Run("gc").Succeeded();
        AssertWhole(before);
    }

    [Fact]
    public void An_immutable_object_is_told_and_the_rest_is_mended()
    {
        Assert.SkipWhen(world.Shell("touch f; chattr +i f && chattr -i f").ExitCode != 0, "no immutable files here");
        world.Shell("chmod 700 r1/etc/passwd r1/usr/bin/hi; chattr +i r1/etc/passwd").Succeeded();
        try
        {
            ToolResult result = world.Run("fsck", "--repair");
            Assert.Equal(3, result.ExitCode);
            Assert.Matches("needed by a as etc/passwd; not made again: .*operation not permitted", result.Output);
            Assert.Matches("needed by a as usr/bin/hi; made again", result.Output);
        }
        finally
        {
            world.Shell("chattr -i r1/etc/passwd").Succeeded();
        }

        Assert.Equal(0, world.Run("fsck", "--repair").ExitCode);
    }

    [Fact]
    public void The_facts_are_in_json_too()
    {
        world.Shell("chmod 700 r1/etc/passwd; echo x >> r1/usr/bin/hi").Succeeded();
        JsonElement repair = JsonDocument.Parse(world.Run("fsck", "--repair", "--json").Output).RootElement.GetProperty("repair");
        JsonElement[] items = [.. repair.GetProperty("items").EnumerateArray().OrderBy(item => item.GetProperty("state").GetString())];
        Assert.Equal(["made", "not-found"], items.Select(item => item.GetProperty("state").GetString()));
        Assert.Equal("this store", items[0].GetProperty("source").GetString());
        Assert.Equal(["a", "r1", "r2"], items[1].GetProperty("holders").EnumerateArray().Select(holder => holder.GetProperty("name").GetString()));
        Assert.Equal([("r1", "etc/passwd"), ("r2", "etc/passwd")], repair.GetProperty("relinked").EnumerateArray().Select(file => (file.GetProperty("root").GetString(), file.GetProperty("path").GetString())));
        Assert.Equal(1, repair.GetProperty("left").GetInt32());
    }

    /// <summary>Every name of the roots, with all that a damage can change but inode numbers.</summary>
    private string Trees() => world.Shell("""
        for r in r1 r2; do (cd $r; find . -printf '%P %y %m %U:%G %s %T@ %l\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; getfattr -R -d . 2> /dev/null); done
        """).Succeeded();

    private void AssertWhole(string before)
    {
        Assert.Equal("", world.Run("fsck").Succeeded());
        Assert.Equal("", world.Run("roots", "check").Succeeded());
        Assert.Equal(before, Trees());
        Assert.Equal("", world.Shell("ls objects/damaged; ls objects/tmp").Succeeded());
    }
}
