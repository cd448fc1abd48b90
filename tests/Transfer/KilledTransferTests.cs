using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>
/// Pushes and pulls that are killed at many of their calls. What both sides have is sound, a ref is old or new, and the same command run again finishes.
/// </summary>
public sealed class KilledTransferTests : IDisposable
{
    private static readonly string[] Calls = ["openat", "pwrite64", "linkat", "renameat2", "renameat", "fsync", "syncfs", "mkdirat", "read", "pread64"];

    private readonly TransferWorld world = new();
    private int kills;

    public KilledTransferTests() => Tools.Require("strace");

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_pull_from_a_layout()
    {
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        KillPulls("$PWD/layout:debian/test", start: "");
    }

    [Fact]
    public void A_pull_of_an_update_from_another_store()
    {
        world.Init("start");
        world.Pull("start", $"{world.At("objects")}:debian/test");
        world.CommitUpdate();
        KillPulls("$PWD/objects:debian/test", start: "start");
    }

    [Fact]
    public void A_push_to_a_layout()
    {
        world.Run("push", "debian/test", world.At("before")).Succeeded();
        string second = world.CommitUpdate();
        world.Init("other");
        AtManyCalls("rm -rf layout; cp -a before layout", "push debian/test $PWD/layout", () =>
        {
            string at = world.Pull("other", "--allow-downgrade", $"{world.At("layout")}:debian/test").GetProperty("commit").GetString()!;
            Assert.Contains(at, (string[])[world.First, second]);
            world.Run("push", "debian/test", world.At("layout")).Succeeded();
            world.Pull("other", $"{world.At("layout")}:debian/test");
            world.AssertWhole("other", second);
        });
    }

    private void KillPulls(string source, string start)
    {
        string commit = world.Shell("$H rev-parse debian/test").Succeeded().Trim();
        world.Init("empty");
        string copy = $"rm -rf other; cp -a {(start.Length > 0 ? start : "empty")} other";
        AtManyCalls(copy, $"--store other pull {source}", () =>
        {
            // A ref that named what is not there would be found.
            world.On("other", "fsck").Succeeded();
            world.Shell($"$H --store other pull {source}").Succeeded();
            world.AssertWhole("other", commit);
        });
        world.On("other", "gc", "-q").Succeeded();
        world.AssertWhole("other", commit);
    }

    /// <summary>Runs a command again and again, each time from the same start and killed at another call, until it is killed no more.</summary>
    private void AtManyCalls(string prepare, string command, Action check)
    {
        foreach (string call in Calls)
        {
            for (int number = 1; ; number += Math.Max(1, number / 2))
            {
                world.Shell(prepare).Succeeded();
                string trace = $"strace -f -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={number}";
                ToolResult result = world.Shell($"{trace} {Hacktree.Path} {command}");
                Assert.True(result.ExitCode is 0 or 137, $"{call} {number}: {result.Error}");
                check();
                if (result.ExitCode == 0)
                {
                    break;
                }

                kills++;
            }
        }

        Assert.True(kills > 15, $"{kills} kills");
    }
}
