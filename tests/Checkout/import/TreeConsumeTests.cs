using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

public sealed class TreeConsumeTests : IDisposable
{
    private readonly TempDirectory directory = new();
    private readonly ObjectStore store;

    public TreeConsumeTests()
    {
        ObjectStore.Create(directory.At("objects"), new StoreFormat { UserMode = !Sys.IsRoot });
        store = ObjectStore.Open(directory.At("objects"));
    }

    private string Tree => directory.At("tree");

    private string[] Marks => Directory.GetFiles(directory.At("objects/tmp"), "adopting-*");

    public void Dispose()
    {
        store.Dispose();
        directory.Dispose();
    }

    [Fact]
    public void What_was_committed_goes_and_a_file_rewritten_since_stays()
    {
        Directory.CreateDirectory(Path.Combine(Tree, "below"));
        string rewritten = Path.Combine(Tree, "below", "rewritten"), settled = Path.Combine(Tree, "settled");
        File.WriteAllText(rewritten, "old!");
        File.WriteAllText(settled, "text");
        ImportResult imported = Import();

        // The same size, and as a rule the same second: only the fraction of the time tells. It is another inode, as
        // editors make them, for the first one has become the object.
        File.Delete(rewritten);
        File.WriteAllText(rewritten, "new!");
        Assert.NotEqual(0, TreeConsume.Run(store, imported, Tree));
        Assert.Equal("new!", File.ReadAllText(rewritten));
        Assert.False(File.Exists(settled));
        Assert.Empty(Marks);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_that_is_an_object_and_was_written_to_is_told_and_no_object_any_more(bool beforeTheRef)
    {
        RequireAdoption();
        Directory.CreateDirectory(Tree);
        string written = Path.Combine(Tree, "written"), settled = Path.Combine(Tree, "settled");
        File.WriteAllText(written, "old!");
        File.WriteAllText(settled, "text");
        ImportResult imported = Import();
        WriteInPlace(written, "new!");
        StoreException told = Assert.Throws<StoreException>(() =>
        {
            if (beforeTheRef)
            {
                TreeConsume.RequireUnchanged(store, imported, Tree);
            }
            else
            {
                TreeConsume.Run(store, imported, Tree);
            }
        });
        Assert.StartsWith($"{written}: somebody wrote to it", told.Message, StringComparison.Ordinal);
        Assert.Equal("new!", File.ReadAllText(written));
        Assert.Equal(beforeTheRef, File.Exists(settled));
        Assert.Single(Directory.GetFiles(directory.At("objects/files"), "*", SearchOption.AllDirectories));
        Assert.Single(Marks);
    }

    [Fact]
    public void A_file_that_is_an_object_and_has_another_name_by_now_leaves_the_store_in_doubt()
    {
        RequireAdoption();
        Directory.CreateDirectory(Tree);
        File.WriteAllText(Path.Combine(Tree, "file"), "text");
        ImportResult imported = Import();
        File.Move(Path.Combine(Tree, "file"), directory.At("elsewhere"));
        Assert.Equal(1, TreeConsume.Run(store, imported, Tree));
        Assert.Single(Marks);
    }

    [Fact]
    public void A_file_touched_since_it_was_looked_at_is_copied()
    {
        RequireAdoption();
        string path = directory.At("file");
        File.WriteAllText(path, "text");
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), OpenFlags.ReadOnly, out SafeFileHandle file).ThrowIfFailed("openat", path);
        using (file)
        {
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
            Thread.Sleep(20);
            Sys.SetMode(file, status.Mode).ThrowIfFailed("fchmod", path);
            var metadata = new FileMetadata(status.Mode, status.Uid, status.Gid, status.ModifyTime.Seconds);
            Digest digest = store.Blobs.AdoptFile(file, status, metadata, [], new byte[Blobs.BufferSize], path);
            Assert.True(store.Blobs.Contains(store.Blobs.NameOf(digest, metadata, []), 4));
            Sys.Stat(file, out status).ThrowIfFailed("statx", path);
            Assert.Equal(1u, status.LinkCount);
        }
    }

    [Fact]
    public void A_tree_that_is_mounted_in_a_second_place_is_copied_from_there()
    {
        RequireAdoption();
        Directory.CreateDirectory(directory.At("first"));
        Directory.CreateDirectory(Tree);
        File.WriteAllText(directory.At("first/file"), "text");
        Tools.Run("mount", "--bind", directory.At("first"), Tree).Succeeded();
        try
        {
            TreeConsume.Run(store, Import(), Tree);
        }
        finally
        {
            Tools.Unmount(Tree);
        }

        Assert.Empty(Directory.GetFiles(directory.At("first")));
        Assert.Equal(1, store.Blobs.Added);
        Assert.Empty(Marks);
    }

    [Theory]
    [InlineData("link")]
    [InlineData("link/")]
    public void A_link_to_a_tree_is_refused(string name)
    {
        Directory.CreateDirectory(Tree);
        File.WriteAllText(Path.Combine(Tree, "file"), "text");
        File.CreateSymbolicLink(directory.At("link"), Tree);
        using PackWriter pack = store.Packs.NewPack();
        StoreException told = Assert.Throws<StoreException>(() => TreeImport.Run(store, pack, directory.At(name), new ImportOptions { Consume = true }));
        Assert.Contains("it is a symbolic link", told.Message, StringComparison.Ordinal);
        Assert.Equal(0, store.Blobs.Added);
        TreeImport.Run(store, pack, directory.At(name), new ImportOptions());
    }

    private static void RequireAdoption() => Assert.SkipUnless(Sys.IsRoot, "only root can have a store in which files become objects");

    private static void WriteInPlace(string path, string text)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.Write);
        file.Write(Encoding.UTF8.GetBytes(text));
    }

    private ImportResult Import()
    {
        Thread.Sleep(20); // more than a step of the clock that dates files: what was written in the same step as the commit began stays
        using PackWriter pack = store.Packs.NewPack();
        ImportResult imported = TreeImport.Run(store, pack, Tree, new ImportOptions { Consume = true });
        store.Publish(pack);
        store.Sync();
        return imported;
    }
}
