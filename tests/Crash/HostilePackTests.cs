using System.Globalization;
using System.IO.Hashing;
using System.Security.Cryptography;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A pack made to do harm, with a ref to it. Every command refuses it in one sentence, and nothing outside is touched.</summary>
public sealed class HostilePackTests : IDisposable
{
    private readonly PhysicalRoot root = new();
    private readonly Digest blob = Verity.Compute("harmless"u8);

    public void Dispose() => root.Dispose();

    [Theory]
    [InlineData("../x")]
    [InlineData("a/b")]
    [InlineData("/tmp/x")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("a\0b")]
    public void A_name_that_leads_elsewhere_is_refused(string name)
    {
        using var forgery = new PackForgery(root.Store);
        byte[] tree = PackForgery.Tree(1, PackForgery.File(name, 8, blob));
        forgery.Publish("hostile", forgery.AddCommit(forgery.AddTree(tree)));
        AssertRefused();
    }

    [Fact]
    public void A_link_and_a_directory_of_one_name_are_refused()
    {
        using var forgery = new PackForgery(root.Store);
        using var outside = new TempDirectory();
        Digest below = forgery.AddTree(PackForgery.Tree(1, PackForgery.Symlink("planted", "/etc/passwd")));
        byte[] tree = PackForgery.Tree(2, PackForgery.Symlink("d", outside.Path), PackForgery.Directory("d", below));
        forgery.Publish("hostile", forgery.AddCommit(forgery.AddTree(tree)));
        AssertRefused();
        Assert.Empty(Directory.GetFileSystemEntries(outside.Path));
    }

    [Fact]
    public void A_tree_that_claims_a_thousand_million_entries_is_refused()
    {
        using var forgery = new PackForgery(root.Store);
        byte[] tree = PackForgery.Tree(1_000_000_000, PackForgery.File("a", 8, blob));
        forgery.Publish("hostile", forgery.AddCommit(forgery.AddTree(tree)));
        AssertRefused();
    }

    [Fact]
    public void A_tree_that_pretends_to_hold_itself_is_refused()
    {
        using var forgery = new PackForgery(root.Store);
        Digest lie = PackForgery.Invented(7);
        forgery.AddAs(lie, PackedKind.Tree, PackForgery.Tree(1, PackForgery.Directory("again", lie)));
        forgery.Publish("hostile", forgery.AddCommit(lie));
        AssertRefused();
    }

    [Fact]
    public void A_commit_that_pretends_to_be_its_own_parent_is_refused()
    {
        using var forgery = new PackForgery(root.Store);
        Digest lie = PackForgery.Invented(9);
        Digest tree = forgery.AddTree(PackForgery.Tree(0));
        forgery.AddAs(lie, PackedKind.Commit, PackForgery.CommitBytes(tree, lie));
        forgery.Publish("hostile", lie);
        AssertRefused();
        root.Refused("log", "hostile");
    }

    [Fact]
    public void A_pack_that_lies_about_a_tree_does_not_hide_the_pack_that_has_it()
    {
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        using (ObjectStore store = ObjectStore.Open(root.Store, stop: TestContext.Current.CancellationToken))
        {
            using var forgery = new PackForgery(root.Store);
            forgery.AddAs(store.Packs.ReadCommit(store.Refs.Find("main")).Tree, PackedKind.Tree, PackForgery.Tree(0));
            forgery.Publish("hostile", forgery.AddCommit(forgery.AddTree(PackForgery.Tree(1, PackForgery.Symlink("a", "b")))));
        }

        root.AssertHolds("main", tree);
    }

    [Fact]
    public void A_size_that_lies_is_refused_by_a_copy_and_found_by_fsck()
    {
        Digest commit = WithObject("harmless", size: 1L << 50);
        Assert.Contains("8 bytes", root.Refused("checkout", "--copy", "hostile", root.At("r1")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(root.At("r1")));
        Assert.Equal(3, root.Run("fsck").ExitCode);
        Assert.False(commit.IsNone);
    }

    [Fact]
    public void A_block_that_claims_to_unpack_to_a_gigabyte_is_refused()
    {
        byte[] stored = new byte[64];
        WritePack(stored, rawLength: 1 << 30, objectLength: 1 << 20);
        AssertRefused();
    }

    [Fact]
    public void A_block_that_does_not_unpack_to_what_it_claims_is_refused()
    {
        byte[] stored = [.. Enumerable.Repeat((byte)0xFF, 64)];
        WritePack(stored, rawLength: 16_000, objectLength: 100);
        AssertRefused();
    }

    [Fact]
    public void Blocks_on_top_of_each_other_are_refused()
    {
        byte[] stored = [.. Enumerable.Repeat((byte)0xFF, 64)];
        WritePack(stored, rawLength: 64, objectLength: 64, blocks: 10_000);
        AssertRefused();
    }

    [Fact]
    public void A_long_block_that_holds_several_objects_is_refused()
    {
        // All else of it is right: without this rule each object that is read would unpack the whole block.
        byte[] tree = PackForgery.Tree(1600, [.. Enumerable.Range(0, 1600).Select(i => PackForgery.Symlink(Name(i), "nowhere"))]);
        byte[] commit = PackForgery.CommitBytes(Tree.DigestOf(tree));
        byte[] block = [.. tree, .. commit];
        Assert.InRange(block.Length, PackLayout.BlockTarget + 1, 2 * PackLayout.BlockTarget);
        WritePack(block, block.Length, Commit.DigestOf(commit), [
            new IndexRow(Tree.DigestOf(tree), 0, 0, tree.Length, PackedKind.Tree),
            new IndexRow(Commit.DigestOf(commit), 0, tree.Length, commit.Length, PackedKind.Commit)]);
        AssertRefused();
        Assert.Contains("has not one object alone", root.Run("fsck").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_directories_that_take_little_space_do_not_fill_the_memory()
    {
        Tools.Require("python3");
        using (var forgery = new PackForgery(root.Store))
        {
            byte[] xattrs = XattrSet.Encode([("user.zeros"u8.ToArray(), new byte[3000])]);
            Digest[] directories = [.. Enumerable.Range(0, 40).Select(i => forgery.AddTree(LargeTree(i, xattrs)))];
            byte[] tree = PackForgery.Tree(40, [.. directories.Select((digest, i) => PackForgery.Directory(Name(i), digest))]);
            forgery.Publish("large", forgery.AddCommit(forgery.AddTree(tree)));
        }

        // 800 MB of trees in a pack of less than 10.
        Assert.InRange(Directory.GetFiles($"{root.Store}/packs").Sum(path => new FileInfo(path).Length), 1, 10 << 20);
        foreach (string[] command in new[] { new[] { "fsck" }, ["gc"], ["ls", "-R", "large"] })
        {
            const string measure = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)";
            string peak = Tools.Run("python3", ["-c", measure, Hacktree.Path, .. root.Arguments(command)]).Succeeded();
            Assert.InRange(int.Parse(peak, CultureInfo.InvariantCulture), 1, 350_000);
        }
    }

    private static string Name(int i) => i.ToString("d8", CultureInfo.InvariantCulture);

    private static byte[] LargeTree(int number, byte[] xattrs)
    {
        using var tree = new MemoryStream();
        tree.Write(BitConverter.GetBytes(6500));
        for (int i = number; i < number + 6500; i++)
        {
            tree.Write(PackForgery.Entry(EntryKind.Fifo, Name(i), [], xattrs));
        }

        return tree.ToArray();
    }

    /// <summary>A tree with one file whose object is there, and the ref "hostile" to it.</summary>
    private Digest WithObject(string content, long size)
    {
        using ObjectStore store = ObjectStore.Open(root.Store);
        Digest digest = store.Blobs.AddBytes(System.Text.Encoding.UTF8.GetBytes(content), new FileMetadata(0x1ED, 0, 0, 0), []);
        store.Sync();
        using var forgery = new PackForgery(root.Store);
        Digest commit = forgery.AddCommit(forgery.AddTree(PackForgery.Tree(1, PackForgery.File("file", size, digest))));
        forgery.Publish("hostile", commit);
        return commit;
    }

    /// <summary>A pack by hand, with checksums that are right: blocks of the same stored bytes, and one object, which the ref "hostile" names.</summary>
    private void WritePack(byte[] stored, int rawLength, int objectLength, int blocks = 1)
    {
        Digest commit = PackForgery.Invented(5);
        WritePack(stored, rawLength, commit, [new IndexRow(commit, 0, 0, objectLength, PackedKind.Commit)], blocks);
    }

    private void WritePack(byte[] stored, int rawLength, Digest commit, IndexRow[] objects, int blocks = 1)
    {
        byte[] table = new byte[blocks * PackLayout.BlockRowSize];
        for (int i = 0; i < blocks; i++)
        {
            new BlockRow(PackLayout.HeaderSize, stored.Length, rawLength, XxHash3.HashToUInt64(stored)).Write(table.AsSpan(i * PackLayout.BlockRowSize));
        }

        byte[] index = new byte[objects.Length * PackLayout.IndexRowSize];
        IndexRow[] sorted = [.. objects.OrderBy(row => row.Digest.ToString(), StringComparer.Ordinal)];
        for (int i = 0; i < sorted.Length; i++)
        {
            sorted[i].Write(index.AsSpan(i * PackLayout.IndexRowSize));
        }

        byte[] rows = [.. table, .. index];
        byte[] footer = new byte[PackLayout.FooterSize];
        long tableOffset = PackLayout.HeaderSize + stored.Length;
        new PackFooter(blocks, objects.Length, tableOffset, tableOffset + table.Length, XxHash3.HashToUInt64(rows)).Write(footer);
        byte[] pack = [.. PackLayout.HeaderMagic, .. new byte[8], .. stored, .. rows, .. footer];
        File.WriteAllBytes($"{root.Store}/packs/{Convert.ToHexStringLower(SHA256.HashData(pack))}.pack", pack);
        PackForgery.SetRef(root.Store, "hostile", commit);
    }

    private void AssertRefused()
    {
        using (var forgery = new PackForgery(root.Store))
        {
            forgery.Publish("empty", forgery.AddCommit(forgery.AddTree(PackForgery.Tree(0))));
        }

        SortedDictionary<string, string> before = Snapshot.Of(root.Path);
        foreach (string[] command in new[]
        {
            ["checkout", "hostile", root.At("r1")], new[] { "checkout", "--copy", "hostile", root.At("r1") },
            ["ls", "-R", "hostile"], ["diff", "empty", "hostile"], ["gc"], ["export", "hostile", "--tar", "/dev/null"],
        })
        {
            root.Refused(command);
        }

        Assert.Equal(3, root.Run("fsck").ExitCode);
        SortedDictionary<string, string> after = Snapshot.Of(root.Path);

        // A checkout that failed comes and goes: that shows in the times of the directories it was recorded in, and in nothing else.
        foreach (string touched in new[] { "", "/objects/roots", "/objects/tmp" })
        {
            before.Remove(touched);
            after.Remove(touched);
        }

        Snapshot.AssertSame(before, after);
    }
}
