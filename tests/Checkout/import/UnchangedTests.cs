using System.Globalization;
using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// A tree is committed again. Unchanged files are not read, changes are noticed, and every command gives the same answer whatever happens to
/// the stat cache.
/// </summary>
public sealed class UnchangedTests : IClassFixture<SettledRoots>, IDisposable
{
    private readonly PhysicalRoot root;

    public UnchangedTests(SettledRoots settled)
    {
        root = settled.Take();
        root.Ok("commit", "-b", "main", Source);
    }

    private string Source => root.At("source");

    private string Cache => root.At("objects/cache");

    public void Dispose() => root.Dispose();

    [Fact]
    public void An_unchanged_file_is_not_opened()
    {
        Tools.Require("strace");
        string trace = root.At("trace");
        Tools.Run("strace", ["-f", "-e", "trace=openat", "-o", trace, Hacktree.Path, .. root.Arguments("commit", "-b", "main", Source)]).Succeeded();
        string[] opened = [.. File.ReadLines(trace).Where(line => line.Contains("\"f1", StringComparison.Ordinal) || line.Contains("\"large", StringComparison.Ordinal))];
        Assert.Empty(opened);
    }

    [Fact]
    public void A_root_is_committed_without_reading_what_is_still_its_object()
    {
        Tools.Require("strace");
        root.Ok("checkout", "main", root.At("r1"));
        Tools.Run("sh", "-c", $"cd {root.At("r1")}; cp -p large0 copy; mv copy large0; echo new > new; mkdir dir; f=$(find . -name 'f[1-9]*' -size +0 | head -1); mv $f dir").Succeeded();
        SortedDictionary<string, string> tree = Snapshot.Of(root.At("r1"));
        string trace = root.At("trace");
        Tools.Run("strace", ["-f", "-e", "trace=pread64,openat", "-o", trace, Hacktree.Path, .. root.Arguments("commit", "-b", "main", root.At("r1"))]).Succeeded();
        root.AssertHolds("main", tree);
        root.AssertSound();
        long read = File.ReadLines(trace).Select(line => long.TryParse(line.Split("= ")[^1], CultureInfo.InvariantCulture, out long bytes) ? bytes : 0).Sum();

        // The copy has 3 MiB, and its object is compared with it. The whole tree has more than 6, so reading all would be more than 12. The stat
        // cache reads one.
        Assert.InRange(read, 6 << 20, 8 << 20);

        // Nor opened: of the files of the root only those three.
        string[] names = [.. tree.Keys.Select(path => $"\"{Path.GetFileName(path)}\"")];
        Assert.Equal(3, File.ReadLines(trace).Count(line => line.Contains("O_NOFOLLOW", StringComparison.Ordinal)
            && !line.Contains("O_DIRECTORY", StringComparison.Ordinal) && names.Any(name => line.Contains(name, StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("printf x | dd of=f conv=notrunc bs=1 seek=100 2>/dev/null; touch -d 2001-01-01 f")]
    [InlineData("cp -p f other; printf y | dd of=other conv=notrunc bs=1 seek=7 2>/dev/null; touch -r f other; mv other f")]
    [InlineData("chmod 6711 f")]
    [InlineData("setfattr -n user.note -v new f")]
    [InlineData("rm f; ln -s g f")]
    [InlineData("rm f; ln g f")]
    public void A_change_in_a_root_is_noticed_where_times_are_not_kept_too(string change)
    {
        Directory.Delete(root.Store, recursive: true);
        root.Ok(["init", "--mtime", "zero", .. Sys.IsRoot ? [] : new[] { "--user" }]);
        Tools.Run("sh", "-ec", $"mkdir {root.At("small")}; cd {root.At("small")}; seq 1000 > f; seq 1001 2000 > g").Succeeded();
        root.Ok("commit", "-b", "main", root.At("small"));
        root.Ok("checkout", "main", root.At("r1"));
        Tools.Run("sh", "-ec", $"cd {root.At("r1")}; {change}").Succeeded();
        string[] listed = [.. Directory.GetFiles(root.At("r1")).Select(File.ReadAllText)];
        Assert.Equal(3, root.Run("diff", "main", root.At("r1")).ExitCode);
        root.Ok("commit", "-b", "main", root.At("r1"));
        root.Ok("checkout", "main", root.At("r2"));
        Assert.Equal(listed, Directory.GetFiles(root.At("r2")).Select(File.ReadAllText));
    }

    [Theory]
    [InlineData("printf x | dd of=f conv=notrunc bs=1 seek=100 2>/dev/null; touch -r kept f")]
    [InlineData("cp -p f other; printf y | dd of=other conv=notrunc bs=1 seek=7 2>/dev/null; touch -r kept other; mv other f")]
    [InlineData("chmod 6711 f")]
    [InlineData("setfattr -n user.note -v new f")]
    [InlineData("rm f; ln -s kept f")]
    [InlineData("touch -d 2001-01-01 f")]
    public void A_change_is_noticed(string change)
    {
        Tools.Run("sh", "-c", $"cd {Source}; {change}").Succeeded();
        RequireTold();
    }

    [Fact]
    public void A_file_written_right_after_it_was_committed_is_noticed_however_its_times_are_set()
    {
        string file = Path.Combine(Source, "racy");
        for (int i = 0; i < 20; i++)
        {
            File.WriteAllText(file, i.ToString("d4", CultureInfo.InvariantCulture));
            File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch.AddSeconds(1_000_000_000));
            root.Ok("commit", "-b", "main", Source);
            Assert.Equal(i.ToString("d4", CultureInfo.InvariantCulture), root.Ok("cat", "main", "racy"));
        }
    }

    [Theory]
    [InlineData("rm -rf CACHE")]
    [InlineData("rm -rf CACHE; echo no directory > CACHE")]
    [InlineData("for f in CACHE/*; do [ -s $f ] && printf '\\377\\377\\377' | dd of=$f conv=notrunc bs=1 seek=60 2>/dev/null; done; true")]
    [InlineData("for f in CACHE/*; do truncate -s 10 $f; done")]
    [InlineData("rm -rf CACHE; ln -s /nonexistent CACHE")]
    public void Whatever_became_of_the_cache_commits_are_the_same(string harm)
    {
        Tools.Run("sh", "-c", harm.Replace("CACHE", Cache, StringComparison.Ordinal)).Succeeded();
        RequireTold();
        File.WriteAllText(Path.Combine(Source, "large0"), "shorter");
        RequireTold();
    }

    [Fact]
    public void A_cache_that_another_process_has_is_done_without()
    {
        Sys.Open(Sys.WorkingDirectory, System.Text.Encoding.UTF8.GetBytes($"{Cache}/lock"), OpenFlags.ReadWrite, out Microsoft.Win32.SafeHandles.SafeFileHandle file)
            .ThrowIfFailed("openat", Cache);
        using (file)
        {
            Assert.Equal(Errno.None, Sys.Lock(file, LockKind.Exclusive, wait: false));
            RequireTold();
        }
    }

    [Fact]
    public void A_store_that_cannot_be_written_to_still_tells_what_changed()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        File.WriteAllText(Path.Combine(Source, "large0"), "shorter");
        Tools.Run("mount", "--bind", root.Store, root.Store).Succeeded();
        try
        {
            Tools.Run("mount", "-o", "remount,bind,ro", root.Store).Succeeded();
            Assert.Contains("large0", root.Run("diff", "main", Source).Output, StringComparison.Ordinal);
        }
        finally
        {
            Tools.Unmount(root.Store);
        }
    }

    [Fact]
    public void An_object_that_is_gone_is_stored_again_though_the_file_is_known()
    {
        foreach (string path in Directory.GetFiles(root.At("objects/files"), "*", SearchOption.AllDirectories))
        {
            File.Delete(path);
        }

        RequireTold();
        root.AssertSound();
    }

    /// <summary>Fails unless the next commit is the tree as it is, by a comparison that knows no cache.</summary>
    private void RequireTold()
    {
        SortedDictionary<string, string> tree = Snapshot.Of(Source);
        string commit = root.Ok("commit", "-b", "main", Source);
        root.AssertHolds(commit, tree);
        if (Directory.Exists(Cache))
        {
            Directory.Move(Cache, root.At($"cache-{Guid.NewGuid():N}"));
        }

        Assert.Equal(0, root.Run("diff", commit, Source).ExitCode);
    }
}
