using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Checkout;
using HackTree.Tests.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Golden;

/// <summary>
/// The id of a commit and the names of objects. No release may change them, because roots and scripts contain them. store.py, which shares no
/// code with HackTree, made them.
/// </summary>
public sealed class StoreGoldenTests
{
    private const string WithTimes = "27fb3f194eff6156c835237f3479ed016658c496d0319c5e03a5a75e6a73a03d";
    private const string WithoutTimes = "d025090c893951ec59bec4d985635c515d92ba8918000861658141741d8a2cbf";
    private const string Empty = "3d/248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95";
    private const string Hello = "9c/76eecc7b76fcb46199cb27b90cf59a660e10575bb0412128905129d5b1c2aa";
    private const string Tag = "xe321467f22c76323";

    private static readonly FileMetadata Plain = Metadata("0644", 0, 0);

    private static ModelTree Tree => new()
    {
        Kind = EntryKind.Directory,
        Metadata = Metadata("0755", 0, 0),
        Xattrs = XattrSet.Encode([("user.root"u8.ToArray(), "of the root"u8.ToArray())]),
        Children =
        {
            ["empty"] = new ModelTree { Kind = EntryKind.Regular, Metadata = Metadata("0000", 0, 0) },
            ["file"] = new ModelTree { Kind = EntryKind.Regular, Metadata = Plain, Content = "hello\n"u8.ToArray() },
            ["twin"] = new ModelTree
            {
                Kind = EntryKind.Regular,
                Metadata = Metadata("4755", 1, 4294967294, -1),
                Content = "hello\n"u8.ToArray(),
                Xattrs = XattrSet.Encode([("user.note"u8.ToArray(), [0x00, 0xFF])]),
            },
            ["\u00FF\n"] = new ModelTree
            {
                Kind = EntryKind.Directory,
                Metadata = Metadata("2775", 7, 8, 7258118400),
                Children =
                {
                    ["fifo"] = new ModelTree { Kind = EntryKind.Fifo, Metadata = Metadata("0600", 0, 5, 86400) },
                    ["link"] = new ModelTree { Kind = EntryKind.Symlink, Metadata = Metadata("0777", 3, 4, 0), Target = "../file"u8.ToArray() },
                    ["null"] = new ModelTree { Kind = EntryKind.CharacterDevice, Metadata = Metadata("0666", 0, 0), Major = 1, Minor = 3 },
                },
            },
        },
    };

    [Theory]
    [InlineData(true, WithTimes, $"{Empty}.0000.0.0.1700000000", $"{Hello}.0644.0.0.1700000000", $"{Hello}.4755.1.4294967294.-1.{Tag}")]
    [InlineData(false, WithoutTimes, $"{Empty}.0000.0.0.0", $"{Hello}.0644.0.0.0", $"{Hello}.4755.1.4294967294.0.{Tag}")]
    public void A_tree_on_disk_in_roots_store(bool keepTimes, string id, params string[] objects)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make this tree");
        using var place = new StorePlace(format: new StoreFormat { KeepTimes = keepTimes });
        using var directory = new TempDirectory();
        Tree.Make(directory.Handle, "tree"u8);
        Require(place, place.Commit(directory.At("tree")), id, objects);
    }

    [Theory]
    [InlineData(true, WithTimes, $"{Empty}.0400.0.0.1700000000", $"{Hello}.0644.0.0.1700000000", $"{Hello}.0755.0.0.-1.{Tag}")]
    [InlineData(false, WithoutTimes, $"{Empty}.0400.0.0.0", $"{Hello}.0644.0.0.0", $"{Hello}.0755.0.0.0.{Tag}")]
    public void An_archive_in_a_users_store(bool keepTimes, string id, params string[] objects)
    {
        using var place = new StorePlace(format: new StoreFormat { KeepTimes = keepTimes, UserMode = true });
        using var archive = new MemoryStream(TarItem.Write(Items(Tree, "")));
        Require(place, place.Commit(archive), id, objects);
    }

    private static void Require(StorePlace place, Digest commit, string id, string[] objects)
    {
        Assert.Equal(id, commit.ToString());
        string files = place.At("objects/files");
        Assert.Equal(objects, Directory.GetFiles(files, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(files, path)).Order(StringComparer.Ordinal));
        Assert.Equal($"{id}\n", File.ReadAllText(place.At("objects/refs/test")));
        string pack = Assert.Single(Directory.GetFiles(place.At("objects/packs")));
        Assert.Equal($"{Digest.Of(File.ReadAllBytes(pack))}.pack", Path.GetFileName(pack));
        place.RequireSound();
    }

    private static IEnumerable<TarItem> Items(ModelTree tree, string path)
    {
        var entry = new TestEntry(tree.Kind, [], tree.Metadata, tree.Xattrs) { Size = tree.Content.Length, Target = tree.Target, Major = tree.Major, Minor = tree.Minor };
        return tree.Children.SelectMany(child => Items(child.Value, path.Length == 0 ? child.Key : $"{path}/{child.Key}"))
            .Prepend(new TarItem(ModelTree.Bytes(path), entry, tree.Content));
    }

    private static FileMetadata Metadata(string mode, uint uid, uint gid, long time = 1700000000) => new(Convert.ToUInt16(mode, 8), uid, gid, time);
}
