using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Images of commits: what other programs think of them.</summary>
[Collection(LoopTests.Name)]
public sealed class CommitImageTests(LoopFilesystems filesystems)
{
    [Theory]
    [InlineData(ImagePaths.Composefs)]
    [InlineData(ImagePaths.Objects)]
    public void Fsck_finds_nothing_wrong_with_the_image_of_the_awkward_tree(ImagePaths paths)
    {
        Tools.Require("fsck.erofs", "dump.erofs");
        using var place = new StorePlace(filesystems["ext4"]);

        // fsck.erofs recurses, and overflows its stack in the deepest paths.
        AwkwardTree.Make(place.At("source"), beyondTar: false);
        Digest commit = place.Commit("source", out ImportResult imported);
        ImageFacts facts = Write(place, commit, paths);
        byte[] image = File.ReadAllBytes(place.At("image"));
        Assert.Equal((image.Length, Verity.Compute(image)), (facts.Length, facts.Digest));
        Tools.Run("fsck.erofs", place.At("image")).Succeeded();
        string dump = Tools.Run("dump.erofs", "-s", place.At("image")).Succeeded();
        Assert.Matches(@"Filesystem magic number:\s+0xE0F5E1E2", dump);
        Assert.Matches($@"Filesystem inode count:\s+{imported.Files + Directories(place, commit) + 256}\n", dump);
    }

    private static ImageFacts Write(StorePlace place, Digest commit, ImagePaths paths)
    {
        using FileStream file = File.Create(place.At("image"));
        return CommitImage.Make(place.Store, commit, paths, piece => file.Write(piece));
    }

    private static int Directories(StorePlace place, Digest commit)
    {
        int count = 1;
        TreeWalk.Visit(place.Store.Packs, place.Store.Packs.ReadCommit(commit).Tree, (PathBuffer _, in TreeEntry entry) =>
        {
            count += entry.IsDirectory ? 1 : 0;
            return true;
        });
        return count;
    }
}
