using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// A directory with a store, beside which trees are made and checked out. It is a user's store if an ordinary user runs the tests.
/// </summary>
internal sealed class StorePlace : IDisposable
{
    public const string Subject = "a golden tree";
    public const long CommitTime = 1700000001;

    private readonly TempDirectory? temporary;
    private readonly string path;

    /// <param name="parent">A directory on the filesystem to use; null for a temporary one.</param>
    /// <param name="format">The store's policies; null for those that suit this process.</param>
    public StorePlace(string? parent = null, StoreFormat? format = null)
    {
        temporary = parent is null ? new TempDirectory() : null;
        path = temporary?.Path ?? Directory.CreateDirectory(Path.Combine(parent!, $"place-{Guid.NewGuid():N}")).FullName;
        ObjectStore.Create(At("objects"), format ?? new StoreFormat { UserMode = !Sys.IsRoot });
        Store = ObjectStore.Open(At("objects"));
    }

    public ObjectStore Store { get; }

    public string At(string name) => Path.Combine(path, name);

    /// <summary>Reads a tree into the store. Its trees stay in a pack without a name.</summary>
    public ImportResult Import(string name, ImportOptions? options = null)
    {
        using var additions = new Additions(Store);
        ImportResult result = TreeImport.Run(additions, At(name), options ?? new ImportOptions());
        Store.Packs.Attach(additions.Pack);
        return result;
    }

    /// <summary>Reads a tree without storing it.</summary>
    public ImportResult Describe(string name)
    {
        using var scratch = new ScratchPack(Store);
        ImportResult result = TreeImport.Describe(scratch, At(name), new ImportOptions());
        scratch.Attach();
        return result;
    }

    public Digest Commit(string name, ImportOptions? options = null) => Commit(name, out _, options);

    public Digest Commit(string name, out ImportResult result, ImportOptions? options = null)
    {
        using var additions = new Additions(Store);
        result = TreeImport.Run(additions, At(name), options ?? new ImportOptions());
        return Commit(additions, result);
    }

    /// <summary>Commits an archive.</summary>
    public Digest Commit(Stream archive)
    {
        using var additions = new Additions(Store);
        return Commit(additions, TarImport.Run(additions, archive, new ImportOptions()));
    }

    public CheckoutResult Checkout(Digest commit, string name, CheckoutMethod method = CheckoutMethod.Hardlink) =>
        RootBuilder.Run(Store, commit, "test", At(name), new CheckoutOptions { Method = method });

    /// <summary>Writes a commit to an archive.</summary>
    public string Export(Digest commit, string name)
    {
        using FileStream archive = File.Create(At(name));
        TarExport.Run(Store, commit, archive, null);
        return At(name);
    }

    /// <summary>Fails if fsck finds something.</summary>
    public void RequireSound()
    {
        var problems = new List<Finding>();
        Check.Run(Store, problems.Add, null);
        Assert.Empty(problems);
    }

    /// <summary>Fails if a checkout, read by the importer, is another tree than its commit.</summary>
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

    private static Digest Commit(Additions additions, ImportResult result) =>
        Committer.Run(additions, result, new CommitRequest { Ref = "test", Subject = Subject, Time = CommitTime });
}
