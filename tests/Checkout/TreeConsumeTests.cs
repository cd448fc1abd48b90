using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

public sealed class TreeConsumeTests
{
    [Fact]
    public void What_was_committed_goes_and_a_file_rewritten_since_stays()
    {
        using var directory = new TempDirectory();
        ObjectStore.Create(directory.At("objects"), new StoreFormat { UserMode = !Sys.IsRoot });
        using ObjectStore store = ObjectStore.Open(directory.At("objects"));
        string tree = directory.At("tree");
        Directory.CreateDirectory(Path.Combine(tree, "below"));
        string rewritten = Path.Combine(tree, "below", "rewritten"), settled = Path.Combine(tree, "settled");
        File.WriteAllText(rewritten, "old!");
        File.WriteAllText(settled, "text");
        Thread.Sleep(20); // more than a step of the clock that dates files: what was written in the same step as the commit began stays
        using PackWriter pack = store.Packs.NewPack();
        ImportResult imported = TreeImport.Run(store, pack, tree, new ImportOptions { Consume = true });

        // The same size, and as a rule the same second: only the fraction of the time tells. It is another inode, as
        // editors make them, for the first one has become the object.
        File.Delete(rewritten);
        File.WriteAllText(rewritten, "new!");
        store.Publish(pack);
        Assert.NotEqual(0, TreeConsume.Run(store, imported, tree));
        Assert.Equal("new!", File.ReadAllText(rewritten));
        Assert.False(File.Exists(settled));
    }
}
