using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class UsageTests : IDisposable
{
    private readonly TestStore store = new();

    public void Dispose() => store.Dispose();

    [Fact]
    public void An_empty_store_uses_nothing()
    {
        Usage usage = Measure();
        Assert.Equal((0L, 0L, 0, 0L), (usage.Objects, usage.ObjectBytes, usage.Packs, usage.SavedBytes));
        Assert.Empty(usage.Refs);
    }

    [Fact]
    public void Everything_is_counted_once_in_the_store_and_in_full_for_each_ref()
    {
        // Twice the same content in one tree; "old" is only in the history.
        store.Commit("a", "f=1234567", "old=12");
        store.Commit("a", "f=1234567", "g=1234567", "own=123");
        store.Commit("b", "f=1234567", "other=12345");

        Usage usage = Measure();

        Assert.Equal((4L, 7L + 2 + 3 + 5), (usage.Objects, usage.ObjectBytes));
        Assert.True(usage.AllocatedBytes >= 4 * 512);
        Assert.Equal(3, usage.Packs);
        Assert.Equal(store.Files("packs").Sum(file => new FileInfo($"{store.Path}/{file}").Length), usage.PackBytes);
        Assert.Equal(["a", "b"], usage.Refs.Select(r => r.Name));
        RefUsage a = usage.Refs[0], b = usage.Refs[1];
        Assert.Equal((3L, 17L, 10L, 3L), (a.Files, a.Bytes, a.DistinctBytes, a.UniqueBytes));
        Assert.Equal((2L, 12L, 12L, 5L), (b.Files, b.Bytes, b.DistinctBytes, b.UniqueBytes));
        Assert.Equal(7, usage.SavedBytes);
    }

    [Fact]
    public void Refs_to_one_tree_are_one_copy_of_it()
    {
        Digest commit = store.Commit("a", "f=12345", "g=1");
        using (ObjectStore opened = store.Open())
        {
            TestStore.SetRef(opened, "b", commit);
        }

        store.Commit("c", "f=12345");

        Usage usage = Measure();

        Assert.Equal([0L, 0, 0], usage.Refs.Select(r => r.UniqueBytes));
        Assert.Equal(5, usage.SavedBytes);
    }

    [Fact]
    public void Hardlinked_roots_save_what_they_would_need_alone()
    {
        Digest commit = store.Commit("a", "f=12345");
        Record("r1", commit, CheckoutMethod.Hardlink);
        Record("r2", commit, CheckoutMethod.Hardlink);
        Record("r3", commit, CheckoutMethod.Copy);

        Usage usage = Measure();

        Assert.Equal((2, 10L), (usage.HardlinkedRoots, usage.SavedBytes));
        Assert.Equal(5, usage.Refs[0].UniqueBytes);
    }

    private void Record(string path, Digest commit, CheckoutMethod method)
    {
        Directory.CreateDirectory(store.At(path));
        using ObjectStore opened = store.Open();
        var record = new RootRecord { Path = path, Commit = commit, Revision = "a", Time = 0, Method = method, State = RootState.Ready };
        opened.Record(path, record);
    }

    private Usage Measure()
    {
        using ObjectStore opened = store.Open();
        return Usage.Measure(opened);
    }
}
