using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Attributes that a machine gives its files by itself. There is no SELinux here, so they are set by hand; without a module that owns
/// them, the kernel takes any value.
/// </summary>
public sealed class MachineXattrTests : IDisposable
{
    private readonly TempDirectory temporary = new();

    public MachineXattrTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can set security attributes");
        Tools.Run("sh", "-c", $"cd {temporary.Path}; mkdir -p tree/d/sub; echo 1 > tree/f; echo 2 > tree/d/g; ln -s f tree/l; mkfifo tree/p").Succeeded();
    }

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void Where_they_are_ignored_they_are_neither_committed_nor_damage()
    {
        using var place = new StorePlace(format: new StoreFormat { IgnoresMachineXattrs = true });
        ImportResult plain = Import(place, temporary.At("tree"));
        Label(temporary.At("tree"), "one");
        Digest commit = Commit(place, temporary.At("tree"), out ImportResult labelled);
        Assert.Equal(plain.Tree, labelled.Tree);
        Assert.Empty(labelled.RootXattrs);
        long objects = place.Store.Blobs.Added;

        // The machine labels objects and what is checked out.
        Label(place.At("objects/files"), "store");
        place.RequireSound();
        place.Checkout(commit, "r1");
        Label(place.At("r1"), "root");
        place.RequireSame(labelled, "r1");
        place.RequireSound();
        Assert.Equal(commit, Commit(place, place.At("r1"), out _, parentless: true));
        Assert.Equal(objects, place.Store.Blobs.Added);
        place.Checkout(commit, "r2", CheckoutMethod.Copy);
        place.RequireSame(labelled, "r2");
    }

    [Fact]
    public void A_touched_root_of_labelled_files_is_advanced()
    {
        using var place = new StorePlace(format: new StoreFormat { IgnoresMachineXattrs = true });
        Digest first = Commit(place, temporary.At("tree"), out _);
        Tools.Run("sh", "-c", $"cd {temporary.At("tree")}; echo 3 > d/new; rm f; chmod 700 d/sub; setfattr -n user.a -v b d").Succeeded();
        Digest second = Commit(place, temporary.At("tree"), out ImportResult changed);
        place.Checkout(first, "r1");
        Label(place.At("r1"), "root");
        using (var open = ObjectStore.Open(place.At("objects"), stop: TestContext.Current.CancellationToken))
        {
            _ = RootAdvance.Run(open, place.At("r1"), second, "test", place.At("r1"), new CheckoutOptions());
        }

        place.RequireSame(changed, "r1");
        Assert.Contains("security.selinux", Names(place.At("r1/d")));
        Assert.Contains("user.a", Names(place.At("r1/d")));
        place.RequireSound();
    }

    [Fact]
    public void Where_they_are_kept_a_labelled_tree_comes_back_whole()
    {
        using var place = new StorePlace(format: new StoreFormat());
        Label(temporary.At("tree"), "one");
        Digest commit = Commit(place, temporary.At("tree"), out ImportResult tree);
        Assert.NotEmpty(tree.RootXattrs);
        place.Checkout(commit, "r1");
        place.RequireSame(tree, "r1");
        place.RequireSound();
        Assert.Equal(commit, Commit(place, place.At("r1"), out _, parentless: true));

        // Another label is another tree.
        Label(temporary.At("tree"), "two");
        Assert.NotEqual(tree.Tree, Import(place, temporary.At("tree")).Tree);
    }

    [Fact]
    public void Where_they_are_kept_an_object_without_a_label_may_get_one()
    {
        using var place = new StorePlace(format: new StoreFormat());
        Tools.Run("setfattr", "-n", "user.a", "-v", "b", temporary.At("tree/f")).Succeeded();
        Commit(place, temporary.At("tree"), out ImportResult tree);
        Label(place.At("objects/files"), "store");
        place.RequireSound();
        using var again = ObjectStore.Open(place.At("objects"), stop: TestContext.Current.CancellationToken);
        Assert.Equal(tree.Tree, Import(again, temporary.At("tree")).Tree);
    }

    [Fact]
    public void A_store_says_its_policy_as_a_feature()
    {
        var format = new StoreFormat { IgnoresMachineXattrs = true };
        Assert.Equal(["machine-xattrs-ignored"], format.ReadOnlyCompatible);
        Assert.True(StoreFormat.Decode(format.Encode(), "/s").IgnoresMachineXattrs);
        Assert.False(StoreFormat.Decode(new StoreFormat().Encode(), "/s").IgnoresMachineXattrs);
        Assert.Empty((format with { IgnoresMachineXattrs = false }).ReadOnlyCompatible);
    }

    private static ImportResult Import(StorePlace place, string path) => Import(place.Store, path);

    private static ImportResult Import(ObjectStore store, string path)
    {
        using var additions = new Additions(store);
        return TreeImport.Run(additions, path, new ImportOptions());
    }

    /// <summary>Commits a tree. Without a parent, equal trees are equal commits.</summary>
    private static Digest Commit(StorePlace place, string path, out ImportResult tree, bool parentless = false)
    {
        using var additions = new Additions(place.Store);
        tree = TreeImport.Run(additions, path, new ImportOptions());
        string name = parentless ? $"ref-{Guid.NewGuid():N}" : "test";
        if (!parentless && !place.Store.Refs.Find("test").IsNone)
        {
            name = "next";
        }

        return Committer.Run(additions, tree, new CommitRequest { Ref = name, Time = StorePlace.CommitTime });
    }

    private static void Label(string path, string label)
    {
        foreach (string attribute in new[] { "security.selinux", "security.ima", "security.SMACK64" })
        {
            Tools.Run("find", path, "-exec", "setfattr", "-h", "-n", attribute, "-v", label, "{}", "+").Succeeded();
        }
    }

    private static string Names(string path) => Tools.Run("getfattr", "-m", "-", path).Succeeded();
}
