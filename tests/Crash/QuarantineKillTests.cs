using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>fsck --repair --quarantine that is killed at each of its calls: no content is lost, and the next run finishes it.</summary>
public sealed class QuarantineKillTests : IDisposable
{
    private const string Make = """
        set -e
        mkdir -p tree; echo tool > tree/tool; echo data > tree/data
        find tree -exec touch -d '2024-05-06 07:08:09Z' {} +
        for c in "commit -q -b a tree" "checkout -q a r1" "checkout -q --copy a r2"; do $H --store objects $c > /dev/null; done
        rm r2/tool
        """;

    // What is damaged has one good copy ("data", in r2) or none ("tool").
    private const string Damage = "set -e; echo lost >> r1/tool; echo x >> r1/data";

    private readonly PhysicalRoot root = new();

    public void Dispose() => root.Dispose();

    [Fact]
    public void Killed_at_each_call()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can write to every object");
        Tools.Require("strace");
        Shell(Make);
        int kills = 0;
        foreach (string call in (string[])["linkat", "renameat", "renameat2", "unlinkat", "syncfs", "fsync", "mkdirat", "flock"])
        {
            for (int number = 1; ; number++)
            {
                // With the directory, the next run has to make it again.
                Shell($"{Damage}; rm -rf objects/damaged");
                string[] kill = ["-f", "-qq", "-o", "/dev/null", "-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={number}"];
                ToolResult result = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("fsck", "--repair", "--quarantine")]);
                bool isKilled = result.ExitCode == 137;
                Assert.True(isKilled || result.ExitCode == 3, $"{call} {number}: {result.Error}{result.Output}");
                AssertKept($"{call} {number}");
                if (isKilled && number % 3 == 0)
                {
                    root.Ok("gc");
                    AssertKept($"{call} {number}, gc");
                }

                ToolResult again = root.Run("fsck", "--repair", "--quarantine");
                Assert.True(again.ExitCode == 3, $"{call} {number}, again: {again.Error}{again.Output}");
                Shell("ls objects/damaged | grep -q . && ! grep -rqx lost objects/files");
                AssertKept($"{call} {number}, again");
                root.Ok("commit", "-q", "-b", "a", root.At("tree"));
                ToolResult mended = root.Run("fsck", "--repair");
                Assert.True(mended.ExitCode == 0, $"{call} {number}, mended: {mended.Error}{mended.Output}");
                Shell("cmp r1/tool tree/tool; cmp r1/data tree/data");
                if (!isKilled)
                {
                    break;
                }

                kills++;
            }
        }

        Assert.True(kills > 20, $"{kills} kills");
        root.AssertCleanAfterGc();
    }

    /// <summary>The damaged content is in the store still, for somebody who can make something of it, and the root has its file.</summary>
    private void AssertKept(string killedAt) =>
        Tools.Run("env", "-C", root.Path, "bash", "-c", $"grep -qx lost r1/tool && grep -rqx lost objects/files objects/damaged || {{ echo {killedAt} >&2; exit 1; }}").Succeeded();

    private void Shell(string script) => Tools.Run("env", "-C", root.Path, $"H={Hacktree.Path}", "bash", "-ec", script).Succeeded();
}
