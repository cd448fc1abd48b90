using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>A directory with a store in it, beside which trees are made and checked out. An ordinary user's store where one runs the tests.</summary>
internal sealed class StorePlace : IDisposable
{
    public const string Subject = "a golden tree";
    public const long CommitTime = 1700000001;

    private readonly TempDirectory? temporary;
    private readonly string path;

    /// <param name="parent">A directory on the filesystem to use; none for a temporary one.</param>
    /// <param name="format">The store's policies; none for those that suit this process.</param>
    public StorePlace(string? parent = null, StoreFormat? format = null)
    {
        temporary = parent is null ? new TempDirectory() : null;
        path = temporary?.Path ?? Directory.CreateDirectory(Path.Combine(parent!, $"place-{Guid.NewGuid():N}")).FullName;
        ObjectStore.Create(At("objects"), format ?? new StoreFormat { UserMode = !Sys.IsRoot });
        Store = ObjectStore.Open(At("objects"));
    }

    public ObjectStore Store { get; }

    public string At(string name) => Path.Combine(path, name);

    /// <summary>Reads a tree into the store; its trees stay in a pack that has no name.</summary>
    public ImportResult Import(string name, ImportOptions? options = null)
    {
        using PackWriter pack = Store.Packs.NewPack();
        ImportResult result = TreeImport.Run(Store, pack, At(name), options ?? new ImportOptions());
        Store.Packs.Attach(pack);
        return result;
    }

    /// <summary>What a tree is, without storing it.</summary>
    public ImportResult Describe(string name) => Import(name, new ImportOptions { StoreContent = false });

    public Digest Commit(string name, ImportOptions? options = null) => Commit(name, out _, options);

    public Digest Commit(string name, out ImportResult result, ImportOptions? options = null)
    {
        using PackWriter pack = Store.Packs.NewPack();
        result = TreeImport.Run(Store, pack, At(name), options ?? new ImportOptions());
        return Commit(pack, result);
    }

    /// <summary>Commits an archive.</summary>
    public Digest Commit(Stream archive)
    {
        using PackWriter pack = Store.Packs.NewPack();
        return Commit(pack, TarImport.Run(Store, pack, archive, new ImportOptions()));
    }

    public CheckoutResult Checkout(Digest commit, string name, CheckoutMethod method = CheckoutMethod.Hardlink) =>
        RootBuilder.Run(Store, commit, "test", At(name), new CheckoutOptions { Method = method });

    /// <summary>Writes a commit to an archive.</summary>
    public string Export(Digest commit, string name)
    {
        using FileStream archive = File.Create(At(name));
        TarExport.Run(Store, Store.Packs.ReadCommit(commit), archive, null);
        return At(name);
    }

    /// <summary>Fails with what fsck finds.</summary>
    public void RequireSound()
    {
        var problems = new List<Problem>();
        Check.Run(Store, problems.Add, null);
        Assert.Empty(problems);
    }

    /// <summary>Fails where a checkout is another tree than its commit, as the importer reads it.</summary>
    public void RequireSame(ImportResult tree, string name)
    {
        ImportResult again = Describe(name);
        Assert.Equal(tree.Tree, again.Tree);
        Assert.Equal(tree.RootMetadata, again.RootMetadata);
        Assert.Equal(tree.RootXattrs, again.RootXattrs);
        Assert.Equal(tree.Files, again.Files);
        Assert.Equal(tree.ContentBytes, again.ContentBytes);
    }

    public void Dispose()
    {
        Store.Dispose();
        if (temporary is not null)
        {
            temporary.Dispose();
        }
        else
        {
            TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(path), path);
        }
    }

    private Digest Commit(PackWriter pack, ImportResult result) =>
        Committer.Run(Store, pack, result, new CommitRequest { Ref = "test", Subject = Subject, Time = CommitTime });
}
