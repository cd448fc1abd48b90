using System.Text.RegularExpressions;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// Reads that fail one after the other, as on a failing disk, without memory or with too few descriptors: strace answers in the kernel's
/// place, for files of the store, the roots and the source only. Whichever fails, the program says so in one sentence that names what and
/// where, takes nothing unreadable for something absent, and does its work when it is run again.
/// </summary>
public sealed partial class FailingReadTests
{
    /// <summary>The call (strace 6.1 does not know listxattrat), its error, and how the program says that.</summary>
    private static readonly (string Call, string Error, string Said)[] Failures =
    [
        ("openat", "EIO", "input/output error"), ("openat", "EMFILE", "too few descriptors"),
        ("openat2", "EIO", "input/output error"), ("openat2", "EMFILE", "too few descriptors"),
        ("statx", "EIO", "input/output error"), ("statx", "ENOMEM", "out of memory"),
        ("pread64", "EIO", "input/output error"), ("getdents64", "EIO", "input/output error"), ("getdents64", "ENOMEM", "out of memory"),
        ("flock", "ENOLCK", "no locks available"), ("flistxattr", "EIO", "input/output error"), ("fgetxattr", "EIO", "input/output error"),
    ];

    /// <summary>How many of the calls of a kind fail, spread over the run; make test-faults lets each of them fail.</summary>
    private static readonly int Sample = Environment.GetEnvironmentVariable("HACKTREE_FAULTS") == "all" ? int.MaxValue : 4;

    [Theory]
    [InlineData("checkout new r1")]
    [InlineData("checkout --copy new r1")]
    [InlineData("checkout --force new r0")]
    [InlineData("checkout --from r0 new r1")]
    [InlineData("checkout --from r0 new r0")]
    [InlineData("roots rm r0")]
    [InlineData("commit -b newer source")]
    [InlineData("commit -b newer r0")]
    [InlineData("export new --tar archive")]
    [InlineData("gc --depth 0")]
    [InlineData("fsck")]
    public void Whichever_read_fails_it_is_said_and_nothing_is_lost(string command)
    {
        Tools.Require("strace");
        using var world = new TwoCommits();
        byte[] archive = Export(world);
        int failed = 0;
        foreach ((string call, string error, string said) in Failures)
        {
            Prepare(world, command);
            world.RunTraced(command, ["-e", $"trace={call}", .. Paths(world)], out string trace).Succeeded();
            foreach (int number in Numbers(CountCalls(trace)))
            {
                world.ResetRoots();
                Prepare(world, command);
                string[] options = ["-e", $"trace={call}", "-e", $"inject={call}:error={error}:when={number}", .. Paths(world)];
                ToolResult result = world.RunTraced(command, options, out trace);
                string[] injected = [.. trace.Split('\n').Where(line => line.Contains("(INJECTED)", StringComparison.Ordinal))];
                failed += injected.Length;
                try
                {
                    AssertAnswer(world, command, result, injected.Length > 0 ? said : null, archive);
                    world.AssertNothingLost();
                    if (result.ExitCode != 0)
                    {
                        world.ResetRoots();
                        world.Root.Ok(Words(world, command));
                    }
                }
                catch (Exception e)
                {
                    string told = $"{string.Join("; ", injected)}: {result.Error}{result.Output}";
                    throw new InvalidOperationException($"{command}, where {call} number {number} fails with {error}: {told}", e);
                }
            }

            world.ResetRoots();
        }

        Assert.True(failed > 0, "no call failed: strace saw none of the command's files");
    }

    /// <summary>What the program answered is true: it did its work in spite of the failure, or it says what it could not read.</summary>
    private static void AssertAnswer(TwoCommits world, string command, ToolResult result, string? said, byte[] archive)
    {
        if (result.ExitCode == 0)
        {
            AssertDone(world, command, archive);
        }
        else if (command == "fsck" && result.ExitCode == 3)
        {
            Assert.Contains(said!, result.Output + result.Error, StringComparison.Ordinal);
        }
        else
        {
            string line = Hacktree.Refused(result);
            Assert.Contains(said!, line, StringComparison.Ordinal);
            Assert.Contains(world.Root.Path, line, StringComparison.Ordinal);
        }
    }

    private static void AssertDone(TwoCommits world, string command, byte[] archive)
    {
        PhysicalRoot root = world.Root;
        switch (command.Split(' ')[0])
        {
            case "checkout":
                Snapshot.AssertSame(world.New, Snapshot.Of(root.At(command.Split(' ')[^1])));
                break;
            case "roots":
                Assert.False(Directory.Exists(root.At("r0")));
                break;
            case "commit":
                root.AssertHolds("newer", Snapshot.Of(root.At(command.Split(' ')[^1])));
                break;
            case "export":
                Assert.Equal(archive, File.ReadAllBytes(root.At("archive")));
                break;
            case "gc":
                Assert.Empty(Directory.GetFileSystemEntries($"{root.Store}/tmp"));
                break;
        }
    }

    /// <summary>Gives the command work that needs reading.</summary>
    private static void Prepare(TwoCommits world, string command)
    {
        if (command.StartsWith("gc", StringComparison.Ordinal) || command.EndsWith("source", StringComparison.Ordinal))
        {
            world.MakeChange();
        }
    }

    private static byte[] Export(TwoCommits world)
    {
        world.Root.Ok(Words(world, "export new --tar archive"));
        return File.ReadAllBytes(world.Root.At("archive"));
    }

    /// <summary>PhysicalRoot's methods name the store themselves.</summary>
    private static IEnumerable<string> Words(TwoCommits world, string command) => world.Words(command).Skip(2);

    /// <summary>For strace: every directory and file there is, and those that the commands may make; what the runtime reads for itself is let alone.</summary>
    private static IEnumerable<string> Paths(TwoCommits world)
    {
        string path = world.Root.Path;
        string[] names = ["", "/a", "/b", "/b/c", "/d", "/a/f1", "/a/f2", "/d/h"];
        IEnumerable<string> made = new[] { "r0", "r1", ".r0.partial", ".r1.partial" }.SelectMany(root => names.Select(name => $"{path}/{root}{name}"))
            .Concat(new[] { "r0", "r0.partial", "r1", "r1.partial" }.Select(name => $"{world.Root.Store}/roots/{name}.json"));
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        IEnumerable<string> found = Directory.EnumerateFileSystemEntries(path, "*", options);
        return new[] { path }.Concat(found).Concat(made).Distinct().SelectMany(each => new[] { "-P", each });
    }

    /// <summary>The most calls that any one thread made: strace counts them by the thread.</summary>
    private static int CountCalls(string trace) =>
        trace.Split('\n').Select(line => Call().Match(line)).Where(match => match.Success)
            .GroupBy(match => match.Groups[1].Value).Max(calls => (int?)calls.Count()) ?? 0;

    private static IEnumerable<int> Numbers(int count) =>
        count <= Sample ? Enumerable.Range(1, count) : Enumerable.Range(0, Sample).Select(i => 1 + (i * (count - 1) / (Sample - 1)));

    [GeneratedRegex(@"^([0-9]+) +[a-z0-9]+\(")]
    private static partial Regex Call();
}
