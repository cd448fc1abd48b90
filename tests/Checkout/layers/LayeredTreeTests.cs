using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Layers laid over one another are the tree of one archive that has what should be left. A layer is words: "d PATH" for a directory, "f PATH TEXT",
/// "l PATH TARGET" for a symbolic link, "h PATH TARGET" for a hard link. "D PATH" is a directory with a mode of its own.
/// </summary>
public sealed class LayeredTreeTests : IDisposable
{
    private const string MakeTar = """
        import io, sys, tarfile
        with tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT) as tar:
            for line in sys.argv[2:]:
                kind, path, *rest = line.split(' ')
                info = tarfile.TarInfo(path)
                info.mode = {'d': 0o755, 'D': 0o700}.get(kind, 0o644)
                if kind in 'dD': info.type = tarfile.DIRTYPE
                if kind in 'lh': info.type, info.linkname = {'l': tarfile.SYMTYPE, 'h': tarfile.LNKTYPE}[kind], rest[0]
                data = rest[0].encode() if kind == 'f' and rest else b''
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        """;

    private static readonly string[] Below = ["d etc", "f etc/a one", "f etc/b two", "D etc/sub", "f etc/sub/c three", "f etc/sub/d four", "l lib usr/lib", "f usr/lib/x five"];

    private readonly StorePlace place = new();
    private int archives;

    public void Dispose() => place.Dispose();

    [Theory]
    [InlineData("f etc/a new|f new/file text", "d etc|f etc/a new|f etc/b two|D etc/sub|f etc/sub/c three|f etc/sub/d four|l lib usr/lib|f usr/lib/x five|f new/file text")]
    // A whiteout hides a file, or a directory with all below it.
    [InlineData("f etc/.wh.a", "d etc|f etc/b two|D etc/sub|f etc/sub/c three|f etc/sub/d four|l lib usr/lib|f usr/lib/x five")]
    [InlineData("f .wh.etc|f usr/.wh.nothing|f not/there/.wh.x", "l lib usr/lib|f usr/lib/x five")]
    // It hides what is below, and nothing of its own layer, wherever it stands. A directory that only its layer's files imply has the metadata of such.
    [InlineData("f etc/a new|f etc/.wh.a|f ./.wh.lib|f lib/y six|f etc/.wh.sub|f etc/sub/c new", "d etc|f etc/a new|f etc/b two|f etc/sub/c new|f lib/y six|f usr/lib/x five")]
    [InlineData("f etc/sub/c new|f etc/.wh.sub", "d etc|f etc/a one|f etc/b two|f etc/sub/c new|l lib usr/lib|f usr/lib/x five")]
    [InlineData("f .wh.etc|f .wh.usr|f .wh.lib|d usr|f etc/z z|f etc/.wh.z", "d usr|f etc/z z")]
    // An opaque directory keeps itself, and what its own layer has in it.
    [InlineData("f etc/sub/.wh..wh..opq|f etc/sub/e new", "d etc|f etc/a one|f etc/b two|D etc/sub|f etc/sub/e new|l lib usr/lib|f usr/lib/x five")]
    [InlineData("f etc/sub/d new|f etc/.wh..wh..opq", "d etc|f etc/sub/d new|l lib usr/lib|f usr/lib/x five")]
    [InlineData("f .wh..wh..opq|d only", "d only")]
    // What aufs notes says nothing.
    [InlineData("f .wh..wh.aufs|d .wh..wh.plnk|f .wh..wh.plnk/1 x", "d etc|f etc/a one|f etc/b two|D etc/sub|f etc/sub/c three|f etc/sub/d four|l lib usr/lib|f usr/lib/x five")]
    // A file takes the place of a directory, and the reverse; a hard link may lead to a layer below.
    [InlineData("f etc/sub file|d etc/a|f etc/a/in in|d lib|f lib/z z", "d etc|d etc/a|f etc/a/in in|f etc/b two|f etc/sub file|d lib|f lib/z z|f usr/lib/x five")]
    [InlineData("h usr/twin etc/a|f etc/a new|h etc/sub usr/lib/x", "d etc|f etc/a new|f etc/b two|f etc/sub five|l lib usr/lib|f usr/lib/x five|f usr/twin one")]
    public void A_layer_lies_over_what_is_below(string layer, string result)
    {
        ImportResult made = Overlay(Below, layer.Split('|'));
        ImportResult expected = Overlay(result.Split('|'));
        Assert.Equal(Listing(expected), Listing(made));
        Assert.Equal((expected.Tree, expected.Files, expected.ContentBytes), (made.Tree, made.Files, made.ContentBytes));

        // The same over a stored tree, of which only what is needed is read.
        ImportResult below = Overlay(Below);
        using var additions = new Additions(place.Store);
        var stored = new LayeredTree(additions, below.AsEntry());
        stored.AddArchive(File.OpenRead(Archive(layer.Split('|'))), new ImportOptions(), hasWhiteouts: true);
        ImportResult over = stored.Build();
        Assert.Equal((expected.Tree, expected.Files, expected.ContentBytes), (over.Tree, over.Files, over.ContentBytes));
    }

    [Theory]
    [InlineData("f ../x x", "\"\\.\\.\"")]
    [InlineData("f /etc/x x", "absolute")]
    [InlineData("f lib/x x", "goes through lib, which is no directory")]
    [InlineData("f etc/a/x x", "goes through a, which is no directory")]
    [InlineData("f .wh.etc/x x", "whiteout in the middle")]
    [InlineData("f etc/.wh.", "whiteout of something that is no name")]
    [InlineData("f etc/.wh...", "whiteout of something that is no name")]
    [InlineData("f etc/sub/e x|f etc/sub x", "a directory that has entries")]
    [InlineData("f etc/.wh.a|h b etc/a", "no file in the archive before it")]
    [InlineData("h b ../../etc/passwd", "leaves the tree")]
    public void A_layer_that_no_tree_can_have_is_refused(string layer, string pattern) =>
        Assert.Matches(pattern, Assert.Throws<TarException>(() => Overlay(Below, layer.Split('|'))).Message);

    [Fact]
    public void A_stored_tree_lies_over_another_and_each_layer_can_be_built()
    {
        ImportResult other = Overlay(["f etc/b other", "D etc/more", "f etc/more/m m", "f etc/sub file", "d lib", "f lib/in in", "D usr"]);
        using var additions = new Additions(place.Store);
        var tree = new LayeredTree(additions);
        tree.AddArchive(File.OpenRead(Archive(Below)), new ImportOptions(), hasWhiteouts: true);
        Digest first = tree.Build().Tree;
        Assert.Equal(Overlay(Below).Tree, first);
        tree.AddTree(other.AsEntry());
        ImportResult made = tree.Build();
        ImportResult expected = Overlay(["d etc", "f etc/a one", "f etc/b other", "D etc/more", "f etc/more/m m", "f etc/sub file", "d lib", "f lib/in in", "D usr", "f usr/lib/x five"]);
        Assert.Equal((expected.Tree, expected.Files, expected.ContentBytes), (made.Tree, made.Files, made.ContentBytes));
    }

    [Fact]
    public void An_archive_alone_has_no_whiteouts()
    {
        using var additions = new Additions(place.Store);
        ImportResult plain = TarImport.Run(additions, File.OpenRead(Archive(["f .wh.a x", "f .wh..wh..opq y"])), new ImportOptions());
        Assert.Equal(2, plain.Files);
    }

    [Fact]
    public void A_deep_tree_is_hidden_without_recursion()
    {
        string deep = string.Join('/', Enumerable.Repeat("d", 2000));
        Assert.Equal(Overlay(["f e e"]).Tree, Overlay([$"f {deep}/f f", "f e e"], ["f .wh.d"]).Tree);
        Assert.Equal(Overlay(["f e e", $"f {deep}/g g"]).Tree, Overlay([$"f {deep}/f f", "f e e"], [$"f {deep}/g g", "f .wh.d"]).Tree);
    }

    /// <summary>Lays archives over one another, publishes the trees, and returns the result.</summary>
    private ImportResult Overlay(params string[][] layers)
    {
        using var additions = new Additions(place.Store);
        var tree = new LayeredTree(additions);
        foreach (string[] layer in layers)
        {
            tree.AddArchive(File.OpenRead(Archive(layer)), new ImportOptions(), hasWhiteouts: true);
        }

        ImportResult result = tree.Build();
        additions.Publish();
        return result;
    }

    private string Archive(string[] layer)
    {
        string path = place.At($"{archives++}.tar");
        Tools.Run("python3", ["-c", MakeTar, path, .. layer]).Succeeded();
        return path;
    }

    private string[] Listing(ImportResult result)
    {
        var lines = new List<string>();
        TreeWalk.Visit(place.Store.Packs, result.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            lines.Add($"{ByteText.Quote(path.Bytes)} {entry.Kind} {Convert.ToString(entry.Metadata.Mode, 8)} {entry.Size} {(entry.Kind == EntryKind.Regular ? entry.Digest.ToShortString() : "")}");
            return true;
        });
        return [.. lines];
    }
}
