using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// `unlock` and `commit --unlocked` in a root that is entered in a mount namespace, with what the boot mounts. The directories of this system are
/// mounted in it, because the program needs them; own/, two/ and the package database are the root's.
/// </summary>
public sealed class UnlockTests : IDisposable
{
    private const string Change =
        """
        cd /own; echo more >> f; rm g; rm -r full; mkdir full; echo x > full/new; chmod 700 d; mv d/moved here; ln f f2
        echo two > /two/file; echo changed > /var/lib/dpkg/status
        """;

    private readonly CliWorld world = new(hasStore: false);

    public UnlockTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        world.Shell(
            """
            set -e
            mkdir -p tree/own/full/sub tree/own/d tree/two tree/var/lib/dpkg
            for f in f g d/moved d/stays full/a full/sub/b; do echo $f > tree/own/$f; done
            ln -s f tree/own/link; chown 3:4 tree/own; chmod 750 tree/two; echo old > tree/var/lib/dpkg/status
            find tree -exec touch -h -d '2024-05-06 07:08:09Z' {} +
            $H init --mtime zero > /dev/null; $H commit -q -b os tree; $H checkout -q --boot os r1
            cat > enter <<'END'
            set -e
            mkdir -p keep; mount --bind r1 keep; mount --bind r1 r1
            for d in /*; do
                [ -d r1$d ] && { [ $d = /own ] || [ $d = /two ]; } && continue
                [ ! -d $d ] || { mkdir -p r1$d; mount --rbind $d r1$d; }
            done
            mount -t tmpfs tmpfs r1/run
            mount --bind keep/var/lib/dpkg r1/var/lib/dpkg; mount -o remount,bind,ro r1/var/lib/dpkg
            mount -o remount,bind,ro r1
            export H="$H --store $PWD/objects"
            eval "$2"
            chroot r1 bash -c "$1"
            END
            """).Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void An_unlocked_root_is_written_to_and_committed_and_stays_as_it_was()
    {
        const string files = "find r1/own r1/two r1/var/lib/dpkg -type f | sort | xargs sha256sum";
        string before = world.Shell(files).Succeeded();
        string said = Inside($"echo x > /own/f && exit 9; $H unlock || exit 8; ( set -e; {Change} ) || exit 7; cat /own/f; $H commit -b made --unlocked").Succeeded();
        Assert.Matches("^f\nmore\n[0-9a-f]{64}\n$", said);
        Assert.Equal(before, world.Shell(files).Succeeded());
        world.Run("fsck", "-q").Succeeded();

        // The same in a copy of the root.
        world.Shell($"set -e; $H checkout -q --copy os copy; cd copy; {Change.Replace("cd /own", "cd own", StringComparison.Ordinal).Replace(" /two/", " ../two/", StringComparison.Ordinal).Replace(" /var/", " ../var/", StringComparison.Ordinal)}").Succeeded();
        world.Run("commit", "-q", "-b", "plain", "copy").Succeeded();
        Assert.Equal("", world.Run("diff", "plain", "made").Output);
        string parent = world.Shell("$H log --json made | grep -o '\"commit\": *\"[0-9a-f]*' | tail -n 1; $H log --json os | grep -o '\"commit\": *\"[0-9a-f]*'").Succeeded();
        Assert.Equal(parent.Split('\n')[0], parent.Split('\n')[1]);
    }

    [Fact]
    public void What_cannot_be_unlocked_is_refused_and_left_as_it_is()
    {
        Assert.Contains("this system runs on no root of ", Hacktree(world.Run("unlock")), StringComparison.Ordinal);
        Assert.Contains("this system runs on no root of ", Hacktree(world.Run("commit", "-b", "x", "--unlocked")), StringComparison.Ordinal);
        Assert.Contains("is not unlocked, so nothing was changed in it; `hacktree unlock`", Hacktree(Inside("$H commit -b x --unlocked")), StringComparison.Ordinal);
        Assert.Contains("is unlocked already, until the next boot", Hacktree(Inside("$H -q unlock; $H unlock")), StringComparison.Ordinal);
        Assert.Contains("/two/d: something is mounted there, which an overlay over /two would hide", Hacktree(Inside("$H unlock", "mkdir keep/two/d; mount -t tmpfs x r1/two/d")), StringComparison.Ordinal);

        // A kernel without overlays: what was mounted before is taken back.
        const string lacking =
            """
            mkdir /run/bin; printf '#!/bin/sh\ncase "$*" in *overlay*/two) exit 32;; esac; PATH=%s exec mount "$@"\n' "$PATH" > /run/bin/mount; chmod 755 /run/bin/mount
            grep -v overlay /proc/filesystems > /run/f; mount --bind /run/f /proc/filesystems
            PATH=/run/bin:$PATH $H unlock; code=$?; ! grep -q unlocked /proc/self/mountinfo && ! echo x > /own/f && exit $code
            """;
        ToolResult none = Inside(lacking);
        Assert.Equal(1, none.ExitCode);
        Assert.Contains("this kernel has no overlay filesystem, so nothing can be unlocked", none.Error, StringComparison.Ordinal);
    }

    private static string Hacktree(ToolResult refused)
    {
        Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
        Assert.True(CliWorld.IsOneSentence(refused), refused.Error);
        return refused.Error;
    }

    /// <summary>Runs a script in the root, after another one outside it.</summary>
    private ToolResult Inside(string script, string before = "") =>
        Tools.Run("env", "-C", world.Path, $"H={Tidy.Repository.Program}", "unshare", "--mount", "bash", "enter", script, before);
}
