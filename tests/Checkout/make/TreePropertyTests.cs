using CsCheck;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Random trees are committed and checked out.</summary>
public sealed class TreePropertyTests : IDisposable
{
    private readonly StorePlace place = new();
    private readonly TempDirectory directory = new();
    private int number;

    public void Dispose()
    {
        directory.Dispose();
        place.Dispose();
    }

    [Fact]
    public void A_random_tree_goes_in_comes_out_and_is_the_same() => Gen.Select(ModelTrees.Tree, Gen.Frequency(
        (9, Gen.Const(CheckoutMethod.Hardlink)), (1, Gen.Const(CheckoutMethod.Copy)))).Sample(
        (tree, method) =>
        {
            int n = Interlocked.Increment(ref number);
            tree.Make(directory.Handle, ByteText.FromArgument($"{n}"));
            ImportResult imported = Import(directory.At($"{n}"), out Digest commit);
            RequireSame(tree, imported);
            RootBuilder.Run(place.Store, commit, "test", place.At($"r{n}"), new CheckoutOptions { Method = method });
            RequireSame(tree, Import(place.At($"r{n}"), out Digest again));
            Assert.Equal(commit, again);
        },
        iter: 60);

    [Fact]
    public void A_random_tree_goes_through_an_archive_and_is_the_same() => ModelTrees.Tree.Sample(
        tree =>
        {
            string source = $"{Interlocked.Increment(ref number)}";
            tree.Make(directory.Handle, ByteText.FromArgument(source));
            Import(directory.At(source), out Digest commit);
            byte[] archive = Export(commit);
            Assert.Equal(archive, Export(commit));
            using var additions = new Additions(place.Store);
            RequireSame(tree, TarImport.Run(additions, new MemoryStream(archive), new ImportOptions()));
        },
        iter: 60);

    [Fact]
    public void An_ordinary_users_trees_come_out_too() => ChildRun.AsNobody(GetType(), "0022");

    private ImportResult Import(string path, out Digest commit)
    {
        using var additions = new Additions(place.Store);
        ImportResult result = TreeImport.Run(additions, path, new ImportOptions());
        commit = additions.Pack.Add(new Commit
        {
            Tree = result.Tree,
            RootMetadata = result.RootMetadata,
            RootXattrs = result.RootXattrs,
            Time = 0,
            Files = result.Files,
            ContentBytes = result.ContentBytes,
            Subject = "",
        });
        place.Store.Packs.Attach(additions.Pack);
        return result;
    }

    private byte[] Export(Digest commit)
    {
        var archive = new MemoryStream();
        TarExport.Run(place.Store, commit, archive, null);
        return archive.ToArray();
    }

    private static void RequireSame(ModelTree tree, ImportResult result)
    {
        TreeEntry entry = tree.AsEntry(default);
        Assert.Equal(entry.Digest, result.Tree);
        Assert.Equal(entry.Metadata, result.RootMetadata);
        Assert.Equal(entry.Xattrs, result.RootXattrs);
    }
}
