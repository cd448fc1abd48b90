using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// Commits with --consume that fail or are killed while files of the source are objects of the store, by the same inode; strace does
/// it at a given call. Whatever is written to such a file afterwards, no commit that is made then holds it.
/// </summary>
public sealed partial class FailedConsumeTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public FailedConsumeTests()
    {
        Tools.Require("strace");
        Assert.SkipUnless(Sys.IsRoot, "only root can have a store in which files become objects");
    }

    private string Source => root.At("source");

    private string PrivatePlace => root.At(".source.consumed");

    /// <summary>Where the tree is now: a killed commit leaves it in its private place.</summary>
    private string Place => Directory.Exists($"{PrivatePlace}/tree") ? $"{PrivatePlace}/tree" : Source;

    public void Dispose() => root.Dispose();

    [Theory]
    [InlineData("linkat:signal=KILL:when=8")]
    [InlineData("linkat:error=ENOSPC:when=8")]
    [InlineData("syncfs:signal=KILL")]
    public void What_is_written_to_a_source_that_was_not_committed_is_in_no_later_commit(string failure)
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 1);
        Tools.Run("cp", "-a", Source, root.At("intact")).Succeeded();
        Consume(failure);
        Assert.Null(root.Tip("main"));
        Snapshot.AssertSame(tree, Snapshot.Of(Place));
        string[] shared = Shared();
        Assert.NotEmpty(shared);

        // Some before the next commit, some after it.
        Array.ForEach(shared[(shared.Length / 2)..], WriteInPlace);
        root.Ok("commit", "-b", "main", root.At("intact"));
        root.AssertHolds("main", tree);
        Array.ForEach(shared, WriteInPlace);
        root.AssertHolds("main", tree);
        root.AssertSound();

        // What has been copied once is not copied again, however many roots have it.
        Assert.Contains("new: 0 objects", root.Run("commit", "-b", "again", root.At("intact")).Error, StringComparison.Ordinal);
        root.AssertCleanAfterGc();
        root.AssertHolds("main", tree);

        // The tree as it is now is in its place, or comes back to it, and can be consumed.
        SortedDictionary<string, string> now = Snapshot.Of(Place);
        bool wasKilled = Place != Source;
        ToolResult consumed = root.Run("commit", "-b", "now", "--consume", Source);
        consumed.Succeeded();
        Assert.Equal(wasKilled, consumed.Error.Contains("the tree is back in its place", StringComparison.Ordinal));
        Assert.Empty(Left());
        root.AssertHolds("now", now);
        root.AssertHolds("main", tree);
    }

    /// <summary>At each of the steps that have a name of their own: the n-th call of the process's first thread.</summary>
    [Theory]
    [InlineData("mkdirat", 1)]
    [InlineData("renameat2", 1)]
    [InlineData("renameat2", 2)]
    [InlineData("renameat2", 3)]
    [InlineData("renameat2", 4)]
    [InlineData("symlinkat", 1)]
    [InlineData("unlinkat", 3)]
    [InlineData("unlinkat", 100)]
    public void Killed_at_any_step_it_loses_no_file_and_the_next_one_settles_it(string call, int number)
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 4);
        SortedDictionary<string, string> excluded = WithExcluded();
        Consume($"{call}:signal=KILL:when={number}", "--exclude", "kept");
        root.AssertSound();
        if (root.Tip("main") is null)
        {
            Snapshot.AssertSame(excluded, Snapshot.Of(Place));
        }

        root.AssertCleanAfterGc();
        string[] expected = [Source, $"{Source}/kept"];
        for (int i = 0; i < 3 && !Left().SequenceEqual(expected); i++)
        {
            ToolResult result = root.Run("commit", "-b", "main", "--consume", "--exclude", "kept", Source);
            Assert.True(result.ExitCode == 0 || result.Error.Contains("it was made the commit", StringComparison.Ordinal), result.Error);
        }

        Assert.Equal(expected, Left());
        tree[""] = excluded[""];
        root.AssertHolds("main", tree);
        root.AssertCleanAfterGc();
    }

    /// <summary>The ref is there and may not be durable, so the tree is neither removed nor put back to where somebody could write to objects.</summary>
    [Fact]
    public void A_ref_that_is_set_but_not_synced_keeps_the_tree_until_the_next_one_settles_it()
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 4);
        ToolResult result = Run("fsync:error=EIO", ["-P", root.At("objects/refs")], []);
        Assert.Equal(1, result.ExitCode);
        Assert.NotNull(root.Tip("main"));
        Assert.Contains($"a ref has its commit {root.Tip("main")}", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Source));
        Snapshot.AssertSame(tree, Snapshot.Of($"{PrivatePlace}/tree"));

        Assert.Contains("the removal is finished now", root.Refused("commit", "-b", "main", "--consume", Source), StringComparison.Ordinal);
        Assert.Empty(Left());
        root.AssertHolds("main", tree);
        root.AssertCleanAfterGc();
    }

    /// <summary>The note comes before the ref, and gc removes the commit that no ref has.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Killed_between_the_note_and_the_ref_the_tree_comes_back(bool collects)
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 4);
        Run("renameat:signal=KILL", ["-P", root.At("objects/refs")], []);
        Assert.Null(root.Tip("main"));
        Assert.NotNull(new FileInfo($"{PrivatePlace}/commit").LinkTarget);
        if (collects)
        {
            root.Ok("gc");
        }

        ToolResult again = root.Run("commit", "-b", "main", "--consume", Source);
        again.Succeeded();
        Assert.Contains("the tree is back in its place", again.Error, StringComparison.Ordinal);
        Assert.Empty(Left());
        root.AssertHolds("main", tree);
        root.AssertCleanAfterGc();
    }

    /// <summary>What is left has inodes of the first store's objects: in its place, whoever writes to it would write into a commit.</summary>
    [Fact]
    public void Killed_while_it_removed_the_tree_it_is_settled_by_no_store_but_the_one_that_has_the_commit()
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 4);
        Consume("unlinkat:signal=KILL:when=100");
        string[] left = Left();
        string other = root.At("other");
        Hacktree.Run(["init", other]).Succeeded();

        ToolResult result = Hacktree.Run(["--store", other, "commit", "-b", "main", "--consume", Source]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("this store does not have that", result.Error, StringComparison.Ordinal);
        Assert.Equal(left, Left());

        Assert.Contains("the removal is finished now", root.Run("commit", "-b", "main", "--consume", Source).Error, StringComparison.Ordinal);
        Assert.Empty(Left());
        root.AssertHolds("main", tree);
    }

    [Fact]
    public void What_cannot_be_removed_goes_back_and_it_is_said_why()
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 5);
        ToolResult result = Run("unlinkat:error=EIO", ["-P", $"{PrivatePlace}/tree"], []);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"{Source}/", result.Error, StringComparison.Ordinal);
        Assert.Contains("input/output error", result.Error, StringComparison.Ordinal);
        Assert.Equal(root.Tip("main"), result.Output.Trim());
        Assert.False(Directory.Exists(PrivatePlace));
        Assert.NotEmpty(Directory.GetFiles(Source));

        // What stayed is no object any more.
        Assert.Empty(Shared());
        root.AssertHolds("main", tree);
        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_written_to_a_file_that_was_to_go_is_in_no_later_commit(bool collects)
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, 2);
        Tools.Run("cp", "-a", Source, root.At("intact")).Succeeded();
        Consume("unlinkat:signal=KILL:when=20");
        Assert.NotNull(root.Tip("main"));
        string[] shared = Shared();
        Assert.NotEmpty(shared);
        Array.ForEach(shared, WriteInPlace);
        Assert.Equal(3, root.Run("fsck").ExitCode);
        if (collects)
        {
            root.Ok("gc");
        }

        root.Ok("commit", "-b", "main", root.At("intact"));
        root.AssertSound();
        root.AssertHolds("main", tree);
        root.AssertHolds("main~1", tree);
        root.AssertCleanAfterGc();

        // Those that were written to are not what the commit holds; they come back, and nothing else.
        ToolResult settled = root.Run("commit", "-b", "main", "--consume", Source);
        Assert.Equal(1, settled.ExitCode);
        Assert.Contains("it was made the commit", settled.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(PrivatePlace));
        Assert.Equal(shared.Length, Directory.GetFiles(Source, "*", SearchOption.AllDirectories).Length);
        root.AssertHolds("main", tree);
    }

    [Fact]
    public async Task What_is_written_to_a_file_before_the_ref_is_set_is_told_and_nothing_is_committed()
    {
        SourceTree.Make(Source, 3);

        // By the path, for strace counts the calls of each thread apart. In packs/ the pack has its name already.
        Task<ToolResult> commit = Task.Run(() => Run("fsync:delay_enter=4000000", ["-P", root.At("objects/packs")], []), TestContext.Current.CancellationToken);
        while (!commit.IsCompleted && Directory.GetFiles(root.At("objects/packs")).Length == 0)
        {
            Thread.Sleep(5);
        }

        string shared = Shared()[0], victim = Path.Combine(Source, Path.GetRelativePath(Place, shared));
        WriteInPlace(shared);
        byte[] written = await File.ReadAllBytesAsync(shared, TestContext.Current.CancellationToken);
        Assert.Contains($"{victim}: somebody wrote to it while it was moved", Hacktree.Refused(await commit), StringComparison.Ordinal);
        Assert.Null(root.Tip("main"));
        Assert.Equal(written, await File.ReadAllBytesAsync(victim, TestContext.Current.CancellationToken));

        // The object is wrong, and no ref needs it: gc removes it.
        Assert.DoesNotContain("needed by", root.Run("fsck").Output, StringComparison.Ordinal);
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_file_that_is_stored_already_is_read_once_and_its_object_is_compared_once()
    {
        const int Size = 3 << 20;
        Directory.CreateDirectory(Source);
        File.WriteAllBytes(root.At("source/large"), Content.Of(Size));
        root.Ok("commit", "-b", "main", Source);
        Consume("pread64:delay_enter=0");
        Assert.False(Directory.Exists(Source));
        long bytes = Counts().Matches(File.ReadAllText(root.At("trace"))).Sum(match => long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture));
        Assert.InRange(bytes, 2 * Size, Size * 5 / 2);
    }

    [GeneratedRegex("""= (\d+)(?: \(|$)""", RegexOptions.Multiline)]
    private static partial Regex Counts();

    private static void WriteInPlace(string path)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.Write);
        file.Write("written"u8[..(int)Math.Min(7, file.Length)]);
    }

    /// <summary>The files of the source that are objects too.</summary>
    private string[] Shared() =>
    [
        .. Directory.GetFiles(Place, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
            .Where(path => Sys.Stat(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), out FileStatus status) == Errno.None
                && status is { Type: FileType.Regular, LinkCount: 2, Size: > 7 })
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Puts a file into the source that is to be left out; answers the source's snapshot with it.</summary>
    private SortedDictionary<string, string> WithExcluded()
    {
        File.WriteAllText($"{Source}/kept", "kept");
        return Snapshot.Of(Source);
    }

    /// <summary>What is left of the source, and beside it.</summary>
    private string[] Left() =>
    [
        .. Directory.GetFileSystemEntries(root.Path, "*source*", SearchOption.TopDirectoryOnly)
            .SelectMany(path => Directory.GetFileSystemEntries(path, "*", SearchOption.AllDirectories).Prepend(path))
            .Order(StringComparer.Ordinal),
    ];

    private ToolResult Consume(string failure, params string[] options) => Run(failure, [], options);

    private ToolResult Run(string failure, string[] filter, string[] options) => Tools.Run(
        "strace",
        ["-f", "-o", root.At("trace"), .. filter, "-e", $"trace={failure.Split(':')[0]}", "-e", $"inject={failure}",
            Hacktree.Path, "--quiet", .. root.Arguments(["commit", "-b", "main", "--consume", Source, .. options])]);
}
