using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Whole trees are exported to an archive and committed from it.</summary>
public sealed class TarTreeTests
{
    [Fact]
    public void An_archive_of_the_awkward_tree_is_committed_as_the_same_tree()
    {
        using var place = new StorePlace();
        AwkwardTree.Make(place.At("source"), beyondTar: false);
        Digest commit = place.Commit("source", out ImportResult imported);
        string archive = place.Export(commit, "archive.tar");
        Assert.Equal(File.ReadAllBytes(archive), File.ReadAllBytes(place.Export(commit, "again.tar")));

        using var additions = new Additions(place.Store);
        using FileStream stream = File.OpenRead(archive);
        ImportResult again = TarImport.Run(additions, stream, new ImportOptions());
        Assert.Equal(imported.Tree, again.Tree);
        Assert.Equal(imported.RootMetadata, again.RootMetadata);
        Assert.Equal(imported.RootXattrs, again.RootXattrs);
        Assert.Equal((imported.Files, imported.ContentBytes), (again.Files, again.ContentBytes));
    }

    [Fact]
    public void GNU_tar_extracts_what_a_checkout_makes()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can extract owners and devices");
        using var place = new StorePlace();
        AwkwardTree.Make(place.At("source"), beyondTar: false);
        Digest commit = place.Commit("source");
        place.Checkout(commit, "r0");
        Directory.CreateDirectory(place.At("extracted"));
        string[] all = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--same-owner", "-p"];
        Tools.Run("tar", ["-C", place.At("extracted"), .. all, "-xf", place.Export(commit, "archive.tar")]).Succeeded();
        Comparison.Same(place.At("r0"), place.At("extracted"));
    }

    [Fact]
    public void A_path_of_any_depth_is_exported_and_committed_again()
    {
        using var place = new StorePlace();
        AwkwardTree.Make(place.At("source"));
        Digest commit = place.Commit("source", new ImportOptions { Excludes = [new PathGlob("/holes")] });
        using FileStream stream = File.OpenRead(place.Export(commit, "archive.tar"));
        Commit again = place.Store.Packs.ReadCommit(place.Commit(stream));
        Assert.Equal(place.Store.Packs.ReadCommit(commit).Tree, again.Tree);
    }
}
