using System.Text.Json;
using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>What a deploy does with /etc, on a disk that is not booted. EtcMergeTests has the rules.</summary>
public sealed class DeployEtcTests : IDisposable
{
    private const string Change =
        """
        mkdir -p $T/etc/ssh; cd $T/etc; for n in mine both theirs gone dropped; do echo old > $n; done; echo image > hostname; : > machine-id
        printf 'root:x:0:0::/root:/bin/sh\n' > passwd; echo image > ssh/ssh_host_key; echo old > ld.so.cache; cd - > /dev/null
        $H commit -q -b os $T; $H checkout -q --boot os r1; $H default r1
        cd r1/etc; for n in mine both dropped; do echo mine > $n; done; rm gone; echo 0123 > machine-id; echo mine > ld.so.cache; mkdir own; echo x > own/x
        printf 'root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n' > passwd; cd ../..
        cd $T/etc; echo theirs > both; echo theirs > theirs; rm dropped ssh/ssh_host_key; echo other > hostname; echo 9999 > machine-id; echo theirs > ld.so.cache
        printf 'root:x:0:0::/root:/bin/sh\nd:x:100:100::/:/\n' > passwd; cd - > /dev/null; $H commit -q -b os $T
        """;

    private readonly DeployWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void What_was_changed_in_the_default_roots_etc_is_in_the_new_one_and_is_said()
    {
        world.Shell(Change);
        string before = world.Shell("find r1 objects/files -printf '%P %i %n %m %s %T@\\n' | sort | sed 's/ [0-9]* \\([0-9]* [0-9]* [0-9.]*\\)$/ \\1/'");
        ToolResult run = world.Try("$H deploy --force os");
        Assert.Equal("r2\n", run.Succeeded());
        string[] said =
        [
            "/etc/both: kept as it was changed here; the commit changed it too, see /etc/both.hacktree-new",
            "/etc/dropped: kept as it was changed here; the commit no longer has it",
            "/etc/gone: not there, as it was deleted here",
            "/etc/hostname: kept as it was changed here",
            "/etc/machine-id: kept as it was changed here",
            "/etc/mine: kept as it was changed here",
            "/etc/own: kept as it was changed here",
            "/etc/passwd: merged, as it was changed here and by the commit",
            "/etc/ssh/ssh_host_key: kept as it was changed here",
        ];
        Assert.Equal(said, run.Error.Split('\n').Select(line => line.Replace("hacktree: ", "", StringComparison.Ordinal)).Where(line => line.StartsWith("/etc/", StringComparison.Ordinal)));
        Assert.Equal(
            "mine mine theirs theirs mine image 0123 image theirs x\n",
            world.Shell("cd r2/etc; echo $(cat mine both both.hacktree-new theirs dropped hostname machine-id ssh/ssh_host_key ld.so.cache own/x); test ! -e gone"));
        Assert.Equal("root me d\n", world.Shell("echo $(cut -d: -f1 r2/etc/passwd)"));

        // The old root and the store's objects are as they were, and no file of the new /etc is one of theirs.
        Assert.Equal(before, world.Shell("find r1 objects/files -printf '%P %i %n %m %s %T@\\n' | sort | sed 's/ [0-9]* \\([0-9]* [0-9]* [0-9.]*\\)$/ \\1/'"));
        Assert.Equal("", world.Shell("find r2/etc -type f -links +1; $H fsck > /dev/null"));
    }

    [Fact]
    public void Json_lists_it_and_a_second_deploy_carries_it_on()
    {
        world.Shell(Change);
        using (var json = JsonDocument.Parse(world.Shell("$H deploy -q --force --json os")))
        {
            JsonElement both = json.RootElement.GetProperty("etc")[0];
            Assert.Equal("r1", json.RootElement.GetProperty("etcFrom").GetString());
            Assert.Equal(
                ("conflict", "both", "both.hacktree-new", null),
                (both.GetProperty("change").GetString(), both.GetProperty("path").GetString(), both.GetProperty("beside").GetString(), both.GetProperty("account").GetString()));
        }

        // What a dry run foresees is what the deploy then does.
        using var dry = JsonDocument.Parse(world.Shell("$H default r2; $H deploy -q --force --dry-run --json os"));
        Assert.Equal("", world.Shell("ls -d r3 2> /dev/null || true"));
        using var real = JsonDocument.Parse(world.Shell("$H deploy -q --force --json os"));
        Assert.Equal("mine theirs\n", world.Shell("echo $(cat r3/etc/both r3/etc/both.hacktree-new)"));
        Assert.Equal("r2", real.RootElement.GetProperty("etcFrom").GetString());
        Assert.NotEqual(0, real.RootElement.GetProperty("etc").GetArrayLength());
        Assert.Equal(real.RootElement.GetProperty("etcFrom").GetString(), dry.RootElement.GetProperty("etcFrom").GetString());
        Assert.Equal(real.RootElement.GetProperty("etc").GetRawText(), dry.RootElement.GetProperty("etc").GetRawText());
    }

    [Fact]
    public void Merge_text_merges_lines_where_that_is_clean()
    {
        world.Shell(
            """
            cd $T/etc; printf '1\n2\n3\n4\n5\n' > lines; cp lines clash; printf '1\n\0\n3\n' > bytes; cd - > /dev/null; $H commit -q -b os $T; $H checkout -q --boot os r1; $H default r1
            for n in lines clash bytes; do sed -i s/1/mine/ r1/etc/$n; done; sed -i s/3/theirs/ $T/etc/lines $T/etc/bytes; sed -i s/1/theirs/ $T/etc/clash; chmod 600 $T/etc/lines
            $H commit -q -b os $T
            """);
        ToolResult run = world.Try("$H deploy --force --merge-text os");
        Assert.Equal("r2\n", run.Succeeded());
        Assert.Contains("/etc/lines: merged, as it was changed here and by the commit", run.Error, StringComparison.Ordinal);
        Assert.Equal(
            "mine 2 theirs 4 5 600 mine 2 3 4 5 theirs 2 3 4 5\nbytes.hacktree-new clash.hacktree-new\n",
            world.Shell("cd r2/etc; echo $(cat lines; stat -c %a lines; cat clash clash.hacktree-new); echo *.hacktree-new"));
    }

    [Fact]
    public void The_root_of_a_converted_disk_keeps_all_that_it_has()
    {
        world.Shell("rm -rf r1; cp -a $T r1; echo mine > r1/etc/hostname; echo mine > r1/etc/x; $H default r1; echo theirs > $T/etc/x; echo new > $T/etc/y; $H commit -q -b os $T; $H deploy -q --force os");
        Assert.Equal("mine mine theirs new\n", world.Shell("cd r2/etc; echo $(cat hostname x x.hacktree-new y)"));
    }

    [Fact]
    public void A_deploy_that_cannot_merge_leaves_no_root_and_the_old_choice()
    {
        ToolResult run = world.Try("mv r0/etc r0/was; ln -s was r0/etc; cp boot/grub/grubenv before; $H deploy -q --force os");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("r0/etc: it is no directory", run.Error, StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
        world.Shell("cmp boot/grub/grubenv before; test ! -e r1");
    }

    /// <summary>A process exchanges names in the old and the new /etc for links to a victim while the merge reads the one and writes the other.</summary>
    [Fact]
    public void Links_that_are_put_in_the_place_of_names_meanwhile_lead_no_merge_outside()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make such roots");
        const string Fill = "for d in sub own more; do mkdir -p $e/$d; echo mine > $e/$d/f; echo mine > $e/$d/g; mkfifo -m 644 $e/$d/pipe; done";
        const string State = "find ../victim -printf '%P %i %n %m %U %G %s %T@ %C@\\n' | sort";
        world.Shell($"""
            mkdir -p $T/etc/sub $T/etc/more; echo theirs | tee $T/etc/sub/f > $T/etc/more/f; $H commit -q -b os $T; e=../victim; {Fill}
            echo secret | tee ../victim/sub/f > ../victim/more/f; chmod -R go-rwx ../victim; cp boot/grub/grubenv before
            """);
        string before = world.Shell(State);
        for (int round = 0; round < 8; round++)
        {
            world.Shell($"cp before boot/grub/grubenv; rm -rf r1* .r1.partial* r0/etc/sub* r0/etc/own* r0/etc/more*; $H gc -q > /dev/null; e=r0/etc; {Fill}");
            string[] trees = [world.At("disk/r0/etc"), world.At("disk/r1/etc"), world.At("disk/.r1.partial/etc")];
            ToolResult run;
            using (new Swapper(trees.SelectMany(tree => new[] { "sub", "own", "more/f", "more/pipe" }.Select(name => ($"{tree}/{name}", world.At($"victim/{name}"))))))
            {
                run = world.Try("$H deploy -q --force os");
            }

            Assert.True(run.ExitCode == 0 || (run.ExitCode == 1 && CliWorld.IsOneSentence(run) && !run.Error.Contains("internal error", StringComparison.Ordinal)), run.Error);
            Assert.Equal(before, world.Shell(State));
            Assert.Equal("", world.Shell("grep -rl secret r0 r1 objects/files || true"));
        }
    }

    /// <summary>Killed at a rename of the merge: the choice is the old one, and the next deploy takes the next name.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void A_deploy_that_is_killed_while_it_merges_leaves_the_old_choice(int rename)
    {
        world.Shell(Change);
        ToolResult run = world.Try($"cp boot/grub/grubenv before; strace -f -qq -o /dev/null -P $PWD/r2/etc -e trace=renameat,renameat2 -e inject=renameat,renameat2:signal=KILL:when={rename} $H deploy -q --force os");
        Assert.NotEqual(0, run.ExitCode);
        Assert.Equal("r0: rollback; r1: default; r2: spare", world.States());
        Assert.Equal("r3\n", world.Shell("cmp boot/grub/grubenv before; $H deploy -q --force os"));
        Assert.Equal("mine\n", world.Shell("cat r3/etc/mine"));
    }
}
