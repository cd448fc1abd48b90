using HackTree.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Images whose bytes are pinned here, of trees that have what the trees of <see cref="ComposefsSumsTests"/> have not.</summary>
public sealed class PinnedImageTests
{
    private const string Digest1 = "1111111111111111111111111111111111111111111111111111111111111111";
    private const string Digest2 = "22222222222222222222222222222222222222222222222222222222222222ff";

    /// <summary>Digests, shared and unshared attributes, whiteouts below the root and in it, owners that need a long inode, names around the dots.</summary>
    private const string Small = $"""
        / 0 40755 2 0 0 0 5.0 - - - security.selinux=root
        /!before 0 40755 2 0 0 0 5.0 - - - system.posix_acl_default=acl
        /.\x01between 0 100644 1 0 0 0 5.0 - - -
        /0a 0 20600 1 0 0 0 5.0 - - - user.overlay.whiteout=own
        /dir 0 40755 2 70000 0 0 5.0 - - - trusted.overlay.opaque=y
        /dir/ff 0 40755 2 0 0 0 5.0 - - -
        /dir/gone 0 20000 1 0 0 0 5.0 - - -
        /file1 100 100644 1 0 0 0 5.0 11/1 - {Digest1} security.selinux=file
        /file2 5000000000 100644 1 0 0 0 -7.0 22/2 - {Digest2} security.selinux=file
        /null 0 20666 1 0 0 259 5.0 - - -
        /same 100 100600 1 0 4294967294 0 5.0 11/1 - {Digest1} lustre.other=x
        """;

    [Fact]
    public void An_image_has_the_digest_that_it_always_had()
    {
        DumpSource.MakeImage(Small, out Digest digest);
        Assert.Equal("fa28f5a4067acef39eff8c75965e58a78c02adaaab93b1e7235f2a28477ea614", digest.ToString());
    }

    /// <summary>Directories of every size around a block, and links and files whose inodes meet the end of one.</summary>
    [Fact]
    public void Places_around_the_ends_of_blocks_stay_as_they_are()
    {
        var dump = new System.Text.StringBuilder("/ 0 40755 2 0 0 0 1.0 - - -\n");
        for (int i = 0; i < 400; i++)
        {
            string name = $"/{i:d3}";
            dump.Append($"{name} 0 40755 2 0 0 0 {i % 2}.0 - - - user.a={new string('a', i)}\n");
            dump.Append($"{name}/link 0 120777 1 0 0 0 1.0 {new string('t', 1 + (i * 10))} - -\n");
            dump.Append($"{name}/short 64 100644 1 0 0 0 1.0 - {new string('c', 64)} -\n");
            for (int k = 0; k < i; k++)
            {
                dump.Append($"{name}/{k:d4} 0 100644 1 0 0 0 1.0 - - -\n");
            }
        }

        byte[] image = DumpSource.MakeImage(dump.ToString(), out Digest digest);
        using var directory = new TempDirectory();
        directory.Write("image", image);
        Tools.Require("fsck.erofs");
        Tools.Run("fsck.erofs", directory.At("image")).Succeeded();
        Assert.Equal("6f59c2ce1a4d20758bdab36e6cff034e3f3c58a3823d52c330ee0447677b0c1a", digest.ToString());
    }
}
