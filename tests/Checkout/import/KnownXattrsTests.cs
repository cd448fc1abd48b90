using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Crash;
using HackTree.Tests.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

/// <summary>The attributes of files that the stat cache knows. What a store with a cache reads is compared with what a new store reads.</summary>
public sealed class KnownXattrsTests : IDisposable
{
    // StatCacheRule.MinimumAgeSeconds, and a little.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2.2);

    private static readonly ImportOptions WithoutTwo = new() { XattrExcludes = [new PathGlob("user.two")] };
    private static readonly ImportOptions WithoutAny = new() { LeavesOutAllXattrs = true };

    private readonly TempDirectory source = new();
    private readonly StorePlace place = new();

    public KnownXattrsTests()
    {
        Shell("for f in a b c d e f g; do echo $f > $f; done; setfattr -n user.one -v 1 a b c d e; setfattr -n user.two -v 2 b c; setfattr -n user.two -v 3 f");
        Thread.Sleep(Settling);
    }

    public void Dispose()
    {
        place.Dispose();
        source.Dispose();
    }

    [Fact]
    public void Any_change_of_an_attribute_is_noticed()
    {
        string[] changes =
        [
            "setfattr -n user.one -v 9 a",
            "setfattr -x user.two b",
            "setfattr -n user.three -v '' d",
            "setfattr -x user.one e",
            "setfattr -n user.one -v 1 g",
            "setfattr -n user.two -v 2 f",
        ];
        ImportResult last = place.Import(source.Path);
        RequireSameAsNew(new ImportOptions());
        foreach (string change in changes)
        {
            Shell(change);
            Assert.NotEqual(last.Tree, place.Describe(source.Path).Tree);
            last = RequireSameAsNew(new ImportOptions());
        }

        Thread.Sleep(Settling);
        Assert.Equal(last.Tree, RequireSameAsNew(new ImportOptions()).Tree);
        Assert.Equal(last.Tree, RequireSameAsNew(new ImportOptions()).Tree);
    }

    [Fact]
    public void What_one_run_leaves_out_is_read_by_the_next_and_the_other_way_round()
    {
        ImportOptions all = new();
        ImportOptions[] runs = [WithoutTwo, all, WithoutAny, all, WithoutTwo, WithoutAny];
        foreach (ImportOptions options in runs)
        {
            RequireSameAsNew(options);
        }

        // The files change, so the next run records them.
        foreach (ImportOptions first in new[] { WithoutAny, WithoutTwo, all })
        {
            Shell("touch *");
            Thread.Sleep(Settling);
            Assert.All([first, .. runs], options => RequireSameAsNew(options));
        }
    }

    [Fact]
    public void A_record_of_other_attributes_is_not_used()
    {
        ImportResult right = place.Import(source.Path);
        byte[] other = XattrSet.Encode([([.. "user.one"u8], [.. "9"u8])]);
        using (StatCache cache = place.Store.OpenStatCache())
        using (SafeFileHandle directory = OpenPath.Directory(source.Path))
        {
            StatCache.Reader reader = cache.NewSession();
            Files.Ok(Sys.Stat(directory, out FileStatus top));
            reader.Enter(directory, top);
            foreach (byte[] name in (byte[][])[[.. "a"u8], [.. "b"u8], [.. "c"u8]])
            {
                Files.Ok(Sys.Stat(directory, name, out FileStatus status));
                Assert.True(reader.TryFind(status, out CachedFile found));
                Assert.NotEqual(CachedXattrs.Of(other), found.Xattrs);
                reader.Add(status, found with { Xattrs = CachedXattrs.Of(other) }, FileTime.Now);
            }

            Assert.True(cache.Save());
        }

        Assert.Equal(right.Tree, place.Describe(source.Path).Tree);
        Assert.Equal(right.Tree, place.Import(source.Path).Tree);
    }

    [Fact]
    public void Equal_attributes_are_read_once()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        const int Count = 100;
        Shell($"for i in $(seq {Count}); do echo $i > n$i; setfattr -n user.one -v x n$i; done");
        Thread.Sleep(Settling);
        root.Ok("commit", "-b", "main", source.Path);
        string trace = root.At("trace");
        Tools.Run("strace", ["-f", "-o", trace, Hacktree.Path, .. root.Arguments("commit", "-b", "main", source.Path)]).Succeeded();

        // An older strace has no name for the new call.
        string[] calls = ["getxattr", $"syscall_0x{Sys.GetXattrAtNumber:x}("];
        int reads = File.ReadLines(trace).Count(line => calls.Any(call => line.Contains(call, StringComparison.Ordinal)));
        Assert.InRange(reads, 1, Count / 2);
    }

    /// <summary>Fails unless the store reads the tree as a new store does.</summary>
    private ImportResult RequireSameAsNew(ImportOptions options)
    {
        using var fresh = new StorePlace();
        ImportResult expected = fresh.Import(source.Path, options);
        ImportResult found = place.Import(source.Path, options);
        Assert.Equal(expected.Tree, found.Tree);
        return found;
    }

    private void Shell(string script) => Tools.Run("sh", "-ec", $"cd {source.Path}; {script}").Succeeded();
}
