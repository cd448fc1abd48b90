using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>The awkward tree is the same after commit and checkout, on every filesystem and by every method, by compare.py.</summary>
[Collection(LoopTests.Name)]
public sealed class RoundTripTests(LoopFilesystems filesystems)
{
    [Theory]
    [InlineData("ext4", CheckoutMethod.Hardlink)]
    [InlineData("ext4", CheckoutMethod.Copy)]
    [InlineData("xfs", CheckoutMethod.Hardlink)]
    [InlineData("xfs", CheckoutMethod.Copy)]
    [InlineData("xfs", CheckoutMethod.Reflink)]
    [InlineData("btrfs", CheckoutMethod.Hardlink)]
    [InlineData("btrfs", CheckoutMethod.Copy)]
    [InlineData("btrfs", CheckoutMethod.Reflink)]
    public void The_awkward_tree_comes_out_as_it_went_in(string kind, CheckoutMethod method)
    {
        using var place = new StorePlace(filesystems[kind]);
        AwkwardTree tree = AwkwardTree.Make(place.At("source"));
        Assert.Equal(kind == "xfs" ? ["a link of 4000 bytes", "a link of 4095 bytes", "the largest device numbers"] : [], tree.Lacking);

        Digest commit = place.Commit("source", out ImportResult imported);
        Assert.Equal(["1 socket was left out: it means nothing without the process that made it"], imported.Notes);
        CheckoutResult result = place.Checkout(commit, "r0", method);
        Assert.Equal(imported.Files, result.Files);
        Assert.Null(result.Unrestored.Summary());

        Comparison.Same(place.At("source"), place.At("r0"), "--no-sockets", "--holes");
        place.RequireSame(imported, "r0");
        Assert.Equal(method == CheckoutMethod.Hardlink, IsShared(place, "r0/twins/first", "r0/twins/same"));
        Assert.False(IsShared(place, "r0/twins/first", "r0/twins/mode"));
        place.RequireSound();
    }

    [Fact]
    public void A_tree_on_one_filesystem_goes_into_a_store_on_another_and_back()
    {
        using var place = new StorePlace(filesystems["btrfs"]);
        using var elsewhere = new StorePlace(filesystems["ext4"]);
        AwkwardTree.Make(elsewhere.At("source"));
        string source = elsewhere.At("source"), copy = elsewhere.At("copy");
        using (var additions = new Additions(place.Store))
        {
            ImportResult imported = TreeImport.Run(additions, source, new ImportOptions());
            Digest commit = Committer.Run(additions, imported, new CommitRequest { Ref = "across", Time = 0 });
            RootBuilder.Run(place.Store, commit, "across", copy, new CheckoutOptions { Method = CheckoutMethod.Copy });
            var error = Assert.Throws<StoreException>(() => RootBuilder.Run(place.Store, commit, "across", copy + "2", new CheckoutOptions()));
            Assert.Contains("hardlinks need one filesystem", error.Message);
            Assert.Contains("--copy", error.Message);
            error = Assert.Throws<StoreException>(
                () => RootBuilder.Run(place.Store, commit, "across", copy + "3", new CheckoutOptions { Method = CheckoutMethod.Reflink }));
            Assert.Contains("--copy", error.Message);
        }

        Comparison.Same(source, copy, "--no-sockets", "--holes");
        Assert.Equal(["copy", "objects", "source"], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(copy)!).Select(Path.GetFileName).Order());
        Assert.Empty(place.Store.Roots.Names());
        place.RequireSound();
    }

    [Fact]
    public void Ext4_cannot_share_extents_and_says_so()
    {
        using var place = new StorePlace(filesystems["ext4"]);
        AwkwardTree.Make(place.At("source"), beyondTar: false);
        Digest commit = place.Commit("source");
        var error = Assert.Throws<StoreException>(() => place.Checkout(commit, "r0", CheckoutMethod.Reflink));
        Assert.EndsWith("this filesystem cannot share extents with the store; use --copy, or a store and root on one XFS or btrfs", error.Message);
        Assert.False(Directory.Exists(place.At("r0")));
        Assert.False(Directory.Exists(place.At(".r0.partial")));
        Assert.Empty(place.Store.Roots.Names());
    }

    [Theory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void A_reflinked_root_takes_no_space_and_may_be_written_to(string kind)
    {
        using var place = new StorePlace(filesystems[kind]);
        Directory.CreateDirectory(place.At("source"));
        File.WriteAllBytes(place.At("source/large"), Content.Of(200 << 20));
        Digest commit = place.Commit("source", out ImportResult imported);
        place.Store.Sync();
        long before = new DriveInfo(filesystems[kind]).AvailableFreeSpace;
        place.Checkout(commit, "r0", CheckoutMethod.Reflink);
        place.Store.Sync();
        Assert.InRange(before - new DriveInfo(filesystems[kind]).AvailableFreeSpace, -(20 << 20), 20 << 20);

        File.AppendAllText(place.At("r0/large"), "written");
        place.Checkout(commit, "r1");
        place.RequireSame(imported, "r1");
        place.RequireSound();
    }

    [Fact]
    public void A_tmpfs_keeps_it_too()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount a filesystem");
        using var directory = new TempDirectory();
        ToolResult mount = Tools.Run("mount", "-t", "tmpfs", "tmpfs", directory.Path);
        Assert.SkipWhen(mount.ExitCode != 0, $"a tmpfs cannot be mounted here: {mount.Error.Trim()}");
        try
        {
            using var place = new StorePlace(directory.Path);
            AwkwardTree.Make(place.At("source"));
            Digest commit = place.Commit("source", out ImportResult imported);
            place.Checkout(commit, "r0");
            place.Checkout(commit, "r1", CheckoutMethod.Copy);
            Comparison.Same(place.At("source"), place.At("r0"), "--no-sockets", "--holes");
            Comparison.Same(place.At("source"), place.At("r1"), "--no-sockets", "--holes");
            place.RequireSame(imported, "r0");
        }
        finally
        {
            Tools.Run("umount", "--lazy", directory.Path).Succeeded();
        }
    }

    private static bool IsShared(StorePlace place, string first, string second) => Inode(place.At(first)) == Inode(place.At(second));

    private static ulong Inode(string path)
    {
        Assert.Equal(Errno.None, Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status));
        return status.Inode;
    }
}
