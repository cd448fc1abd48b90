using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A repair that is killed at each of its calls: nothing is worse afterwards, and the next run finishes it.</summary>
public sealed class RepairKillTests : IDisposable
{
    // The file "data" has its only copies in roots, "tool" in the damaged object itself, and "passwd" in a root of copies.
    private const string Make = """
        set -e
        mkdir -p tree/etc part/etc; echo root > tree/etc/passwd; head -c 700000 /dev/urandom > tree/tool; echo data > tree/data
        cp -p tree/etc/passwd part/etc
        find tree part -exec touch -d '2024-05-06 07:08:09Z' {} +
        for c in "commit -q -b a tree" "commit -q -b b part" "checkout -q a r1" "checkout -q a r3" "checkout -q --copy b r2"; do $H --store objects $c > /dev/null; done
        $H --store objects fsck --repair > /dev/null
        state() { (cd $1; sha256sum tool data etc/passwd; stat -c '%n %a %u:%g %y' tool data etc etc/passwd .); }
        state r1 > right; state r3 | cmp - right
        """;

    private const string Damage = """
        set -e
        echo x >> r1/etc/passwd; chmod 666 r3/tool; chown 1:1 r3/tool; rm $(grep -rlx data objects/files)
        """;

    private readonly PhysicalRoot root = new();

    public void Dispose() => root.Dispose();

    [Fact]
    public void Killed_at_each_call()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can write to every object");
        Tools.Require("strace");
        Shell(Make);
        int kills = 0;
        foreach (string call in (string[])["linkat", "renameat", "renameat2", "unlinkat", "syncfs", "fsync", "mkdirat", "utimensat", "pwrite64", "fchownat", "flock"])
        {
            for (int number = 1; ; number++)
            {
                Shell(Damage);
                string[] kill = ["-f", "-qq", "-o", "/dev/null", "-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={number}"];
                ToolResult result = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("fsck", "--repair")]);
                bool isKilled = result.ExitCode == 137;
                Assert.True(isKilled || result.ExitCode == 0, $"{call} {number}: {result.Error}{result.Output}");
                if (isKilled && number % 3 == 0)
                {
                    root.Ok("gc");
                }

                ToolResult again = root.Run("fsck", "--repair");
                Assert.True(again.ExitCode == 0, $"{call} {number}, again: {again.Error}{again.Output}");
                AssertWhole($"{call} {number}");
                if (!isKilled)
                {
                    break;
                }

                kills++;
            }
        }

        Assert.True(kills > 30, $"{kills} kills");
        root.AssertCleanAfterGc();
        root.Ok("roots", "check");
    }

    /// <summary>Both roots are as they were made, and so are the objects, which have the same inodes or were compared by the repair.</summary>
    private void AssertWhole(string killedAt)
    {
        // A link in tmp/ that an earlier kill left may be a name of an inode that was damaged since. gc removes both.
        Shell($$"""
            set -e
            trap '[ $? = 0 ] || echo "killed at {{killedAt}}" >&2' EXIT
            state() { (cd $1; sha256sum tool data etc/passwd; stat -c '%n %a %u:%g %y' tool data etc etc/passwd .); }
            state r1 | cmp - right; state r3 | cmp - right
            ! ls objects/damaged | grep -q . || $H --store objects gc -q
            ! ls objects/damaged | grep .
            """);
    }

    private void Shell(string script) => Tools.Run("env", "-C", root.Path, $"H={Hacktree.Path}", "bash", "-c", script).Succeeded();
}
