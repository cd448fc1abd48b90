using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Tests.Cli;

/// <summary>Commands that only ask change nothing: not the machine, and not a store that uses what this program does not know.</summary>
public sealed class QueryTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void In_a_root_that_hides_its_store_they_mount_nothing_and_say_what_to_do()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root could mount");
        Assert.SkipWhen(ObjectStore.IsStore("/objects") || Directory.Exists("/sysroot"), "this machine shows a store");

        // As in a root that was entered by chroot: the kernel was told subroot=, and the device of / is there.
        const string script = """
            set -e
            echo 'root=/dev/vda subroot=r0' > cmdline
            mkdir nothing
            device=$(stat -c %Hd:%Ld /)
            mount --bind cmdline /proc/cmdline
            mount -t tmpfs tmpfs /dev
            mkdir /dev/block
            mknod /dev/block/$device b ${device%:*} ${device#*:}
            mknod -m 666 /dev/null c 1 3
            cd nothing
            cat /proc/self/mountinfo > ../before
            for verb in refs roots du fsck 'gc --dry-run' 'log main' 'show main' 'ls main' 'cat main x' 'diff main main' 'export main --tar x' 'refs log main'; do
                code=0; $H $verb 2> ../said || code=$?
                [ $code = 1 ]
                grep -q 'mkdir -p /sysroot && mount /dev/block/.* /sysroot' ../said
            done
            [ -z "$($H __complete log '')" ]
            cat /proc/self/mountinfo > ../after

            # Mounts may go: other tests remove the directories of theirs.
            ! grep -vxFf ../before ../after
            [ ! -e /sysroot ]
            [ -z "$(ls -A)" ]
            """;
        File.WriteAllText(world.At("script"), script);
        world.Shell("unshare --mount bash script").Succeeded();
    }

    [Fact]
    public void A_store_with_unknown_features_is_read_or_refused_as_its_format_says()
    {
        world.Commit("main");
        string[][] reading =
        [
            ["log", "main"], ["refs"], ["roots"], ["du"], ["fsck"], ["gc", "--dry-run"], ["show", "main"], ["ls", "main"], ["cat", "main", "etc/passwd"],
            ["diff", "main", "main"], ["export", "main", "--tar", "-"], ["refs", "log", "main"],
        ];
        string[][] writing =
        [
            ["commit", "-b", "other", "tree"], ["checkout", "main", "r1"], ["gc"], ["refs", "set", "other", "main"], ["refs", "delete", "main"],
            ["roots", "rm", "r1"], ["roots", "pin", "r1"],
        ];

        SetFormat(format => format with { Compatible = ["sparkles"] });
        Assert.All(reading, command => Answers(command));

        SetFormat(format => format with { ReadOnlyCompatible = ["quantum", "sparkles"] });
        Assert.All(reading, command => Answers(command));
        Assert.All(writing, command => world.Refuses(1, "to write to this store a program must know quantum, sparkles; this is hacktree ", command));

        SetFormat(format => format with { Incompatible = ["quantum"] });
        Assert.All([.. reading, .. writing], command => world.Refuses(1, "to read this store a program must know quantum; this is hacktree ", command));
    }

    private void Answers(string[] command)
    {
        string before = world.Listing();
        world.Run(command).Succeeded();
        Assert.Equal(before, world.Listing());
    }

    private void SetFormat(Func<StoreFormat, StoreFormat> change) =>
        File.WriteAllBytes(world.At("objects/format"), change(new StoreFormat { UserMode = !Sys.IsRoot }).Encode());
}
