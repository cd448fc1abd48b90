using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A directory with a store in it, used through the program, and what must be true of it at every instant.</summary>
internal sealed class PhysicalRoot : IDisposable
{
    private readonly TempDirectory? own;

    /// <summary>In a directory of its own.</summary>
    public PhysicalRoot()
    {
        Hacktree.Require();
        own = new TempDirectory();
        Path = own.Path;
        Ok(Sys.IsRoot ? ["init"] : ["init", "--user"]);
    }

    /// <summary>In a given place, such as a filesystem of its own; with a store there or not.</summary>
    public PhysicalRoot(string path)
    {
        Hacktree.Require();
        Path = path;
        if (!Directory.Exists(Store))
        {
            Ok("init");
        }
    }

    /// <summary>How often each random thing is tried: $HACKTREE_CRASH_ROUNDS, for a longer search than a test run has time for.</summary>
    public static int Rounds(int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable("HACKTREE_CRASH_ROUNDS"), CultureInfo.InvariantCulture, out int given) ? given : usual;

    /// <summary>Where the random things begin: $HACKTREE_CRASH_SEED.</summary>
    public static int Seed { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("HACKTREE_CRASH_SEED"), CultureInfo.InvariantCulture, out int given) ? given : 20;

    public string Path { get; }

    public string Store => At("objects");

    public string At(string name) => System.IO.Path.Combine(Path, name);

    public string[] Arguments(params IEnumerable<string> arguments) => ["--store", Store, .. arguments];

    public ToolResult Run(params IEnumerable<string> arguments) => Hacktree.Run(Arguments(arguments));

    /// <summary>Runs a command that must succeed; answers what it printed.</summary>
    public string Ok(params IEnumerable<string> arguments) => Run(arguments).Succeeded().Trim();

    /// <summary>Runs a command that must be refused with one sentence; answers that.</summary>
    public string Refused(params IEnumerable<string> arguments) => Hacktree.Refused(Run(arguments));

    /// <summary>The commit that a ref names; null for none.</summary>
    public string? Tip(string name)
    {
        string path = System.IO.Path.Combine(Store, "refs", name);
        return File.Exists(path) ? File.ReadAllText(path).Trim() : null;
    }

    /// <summary>The commits of a ref, the newest first.</summary>
    public List<string> History(string name)
    {
        var found = new List<string>();
        using ObjectStore store = ObjectStore.Open(Store);
        for (Digest commit = store.Refs.Find(name); !commit.IsNone; commit = store.Packs.ReadCommit(commit).Parents.FirstOrDefault())
        {
            found.Add(commit.ToString());
        }

        return found;
    }

    /// <summary>Every ref names a commit all of which is there and right.</summary>
    public void AssertSound()
    {
        ToolResult result = Run("fsck");
        Assert.True(result.ExitCode == 0, $"fsck, exit code {result.ExitCode}: {result.Error}{result.Output}");
    }

    /// <summary>Whoever finds a commit in a pack can let a ref name it, whether one did before or not: all of it is there and right.</summary>
    public void AssertEveryCommitWhole()
    {
        List<Digest> commits;
        using (ObjectStore store = ObjectStore.Open(Store))
        {
            commits = store.Packs.CommitsWithPrefix("", int.MaxValue);
        }

        commits.ForEach(commit => Ok("refs", "set", $"found/{commit}", commit.ToString()));
        ToolResult result = Run("fsck");
        Assert.DoesNotContain("needed by", result.Error + result.Output, StringComparison.Ordinal);
        commits.ForEach(commit => Ok("refs", "delete", $"found/{commit}"));
    }

    /// <summary>After gc nothing is left of what was interrupted.</summary>
    public void AssertCleanAfterGc()
    {
        Ok("gc");
        AssertSound();
        Assert.Empty(Directory.GetFileSystemEntries(System.IO.Path.Combine(Store, "tmp")));
        Assert.Empty(Directory.GetFileSystemEntries(Path, "*.partial"));
        Assert.Empty(Directory.GetFileSystemEntries(System.IO.Path.Combine(Store, "roots"), "*.partial.json"));
    }

    /// <summary>A commit, checked out under a new name, is that tree.</summary>
    public void AssertHolds(string revision, SortedDictionary<string, string> tree)
    {
        string place = At($"check-{Guid.NewGuid():N}");
        Ok("checkout", revision, place);
        Snapshot.AssertSame(tree, Snapshot.Of(place));
        Tools.Run("rm", "-rf", place).Succeeded();
    }

    public void Dispose() => own?.Dispose();
}
