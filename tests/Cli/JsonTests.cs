using System.Text.Json;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Cli;

/// <summary>`--json` gives the same facts as the text, in fields that cli/JSON.md lists.</summary>
public sealed class JsonTests : IDisposable
{
    private readonly CliWorld world = new();
    private readonly string first;
    private readonly string second;

    public JsonTests()
    {
        first = world.Commit("a", "-s", "one", "-m", "text", "--meta", "k=v");
        world.Shell("echo new > tree/etc/new").Succeeded();
        second = world.Commit("a", "-s", "two");
        world.Run("checkout", "a", "r0").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void Refs() => Assert.Equal([("a", second, "two")], Read("refs").EnumerateArray().Select(r => (Text(r, "name"), Text(r, "commit"), Text(r, "subject"))));

    [Fact]
    public void A_refs_log()
    {
        JsonElement[] log = [.. Read("refs", "log", "a").EnumerateArray()];
        Assert.Equal([(first, second, "commit: two"), (null, first, "commit: one")], log.Select(c => (c.GetProperty("before").GetString(), Text(c, "after"), Text(c, "why"))));
        Assert.All(log, c => Assert.True(c.GetProperty("time").GetInt64() > 0));
    }

    [Fact]
    public void Log_and_show()
    {
        JsonElement[] log = [.. Read("log", "a").EnumerateArray()];
        Assert.Equal([second, first], log.Select(c => Text(c, "commit")));
        Assert.Equal([first], log[0].GetProperty("parents").EnumerateArray().Select(p => p.GetString()));
        JsonElement shown = Read("show", "a^");
        Assert.Equal(log[1].GetRawText().ReplaceLineEndings(""), shown.GetRawText().ReplaceLineEndings(""));
        Assert.Equal(("one", "text", "v", 9), (Text(shown, "subject"), Text(shown, "body"), Text(shown.GetProperty("meta"), "k"), shown.GetProperty("files").GetInt32()));
    }

    [Fact]
    public void Ls_agrees_with_the_text_and_has_bytes_where_names_are_no_text()
    {
        JsonElement[] entries = [.. Read("ls", "-R", "a").EnumerateArray()];
        Assert.Equal(world.Run("ls", "-R", "a").Succeeded().Split('\n').Length - 1, entries.Length);
        Assert.Equal(["etc", "etc/new"], entries.Take(2).Select(e => Text(e, "path")));
        JsonElement bad = entries.Single(e => e.TryGetProperty("pathBase64", out _));
        Assert.Equal([.. "usr/share/bad"u8, 0xFF, .. "name"u8], bad.GetProperty("pathBase64").GetBytesFromBase64());
        Assert.Contains(entries, e => Text(e, "path") == "usr/share/new\nline");
        JsonElement link = Read("ls", "a", "usr/bin/hello")[0];
        Assert.Equal(("usr/bin/hello", "symlink", "hi", "0777"), (Text(link, "path"), Text(link, "type"), Text(link, "target"), Text(link, "mode")));
    }

    [Fact]
    public void Diff()
    {
        JsonElement diff = Read(3, "diff", "a^", "a");
        Assert.Equal([("modified", "etc", "directory"), ("added", "etc/new", "file")], diff.GetProperty("changes").EnumerateArray().Select(c => (Text(c, "change"), Text(c, "path"), Text(c, "type"))));
        Assert.Equal((1, 1), (diff.GetProperty("added").GetInt32(), diff.GetProperty("modified").GetInt32()));
        Assert.False(Read(3, "diff", "--stat", "a^", "a").TryGetProperty("changes", out _));
    }

    [Fact]
    public void Roots()
    {
        JsonElement root = Read("roots")[0];
        Assert.Equal(("r0", "ready", world.At("r0"), second, "hardlink", "a"), (Text(root, "name"), Text(root, "state"), Text(root, "path"), Text(root, "commit"), Text(root, "method"), Text(root, "revision")));
    }

    [Fact]
    public void What_makes_something()
    {
        JsonElement commit = Read("commit", "-b", "b", "tree");
        Assert.Equal(("b", true, 64), (Text(commit, "ref"), commit.GetProperty("new").GetBoolean(), Text(commit, "commit")!.Length));
        Assert.False(Read("commit", "-b", "b", "--skip-if-unchanged", "tree").GetProperty("new").GetBoolean());
        JsonElement root = Read("checkout", "b", "r1");
        Assert.Equal((world.At("r1"), Text(commit, "commit"), "hardlink", JsonValueKind.Null), (Text(root, "path"), Text(root, "commit"), Text(root, "method"), root.GetProperty("changes").ValueKind));
        Assert.Equal(1, Read("checkout", "--from", "r1", "a^", "r2").GetProperty("changes").GetInt32());
        JsonElement store = Read([.. CliWorld.Init, "other"]);
        Assert.Equal((world.At("other"), "keep"), (Text(store, "path"), Text(store, "mtime")));
    }

    [Fact]
    public void A_check_of_roots()
    {
        Assert.Equal(0, Read("roots", "check", "r0")[0].GetProperty("changes").GetArrayLength());
        world.Shell("chmod 700 r0/etc/new; echo x > r0/added").Succeeded();
        JsonElement checkedRoot = Read(3, "roots", "check")[0];
        JsonElement[] changes = [.. checkedRoot.GetProperty("changes").EnumerateArray()];
        Assert.Equal(("r0", world.At("r0")), (Text(checkedRoot, "root"), Text(checkedRoot, "path")));
        Assert.Equal([("added", "added"), ("modified", "etc/new")], changes.Select(c => (Text(c, "change"), Text(c, "path"))));
        Assert.Equal("mode", changes[1].GetProperty("differs")[0].GetString());
        Assert.Matches("^[0-9a-f]{2}/[0-9a-f]{62}[.]0644[.]", Text(changes[1], "damagedObject"));
    }

    [Fact]
    public void Gc_fsck_and_du()
    {
        world.Run("refs", "delete", "a").Succeeded();
        Assert.Equal(1, Read("gc", "--dry-run").GetProperty("commitsDropped").GetInt32());
        Assert.Equal(1, Read("gc").GetProperty("commitsDropped").GetInt32());
        Assert.Equal(0, Read("fsck").GetProperty("problems").GetArrayLength());
        Assert.Equal(1, Read("du").GetProperty("roots").GetInt32());
        world.Shell("rm $(find objects/files -type f -size +50k)").Succeeded();
        JsonElement problem = Read(3, "fsck").GetProperty("problems")[0];
        Assert.Equal("root r0 as usr/share/doc/large", Text(problem, "neededBy"));
        JsonElement need = problem.GetProperty("need");
        Assert.Equal(("missing-object", "r0", "usr/share/doc/large"), (Text(problem, "kind"), Text(need, "root"), Text(need, "path")));
    }

    [Fact]
    public void What_fsck_finds_is_data()
    {
        world.Shell("""
            chmod 640 $(find objects/files -type f -size +50k)
            rm -r objects/refs/a r0; echo no commit > objects/refs/b; touch objects/stranger
            ln -s nowhere objects/packs/$(printf '%064d' 0).pack
            """).Succeeded();
        JsonElement fsck = Read(3, "fsck");
        JsonElement Of(string kind) => fsck.GetProperty("problems").EnumerateArray().First(problem => Text(problem, "kind") == kind);

        Assert.Equal(("stranger", "does not belong in a store"), (Text(Of("foreign-file"), "path"), Text(Of("foreign-file"), "problem")));
        Assert.Equal(("b", "damaged"), (Text(Of("damaged-ref"), "ref"), Text(Of("damaged-ref").GetProperty("cause"), "damage")));
        JsonElement pack = Of("damaged-pack").GetProperty("cause");
        Assert.Equal("it is not a regular file", Text(pack, "damage"));
        JsonElement fault = Of("damaged-object").GetProperty("faults")[0];
        Assert.Equal(("mode", "0644", "0640"), (Text(fault, "fault"), Text(fault, "expected"), Text(fault, "actual")));
        JsonElement note = fsck.GetProperty("noteFacts")[0];
        Assert.Equal(("missing-root", "r0", world.At("r0")), (Text(note, "kind"), Text(note, "root"), Text(note, "place")));
        Assert.Equal(fsck.GetProperty("notes").GetArrayLength(), fsck.GetProperty("noteFacts").GetArrayLength());
    }

    [Fact]
    public void Bench()
    {
        JsonElement bench = Read("bench", "--rounds", "2", "--dir", ".", "tree");
        Assert.Equal(("tree", 2), (Text(bench, "tree"), bench.GetProperty("rounds").GetInt32()));
        JsonElement[] works = [.. bench.GetProperty("works").EnumerateArray()];
        Assert.Contains("checkout", works.Select(work => Text(work, "work")));
        Assert.All(works, work => Assert.InRange(work.GetProperty("seconds").GetDouble(), work.GetProperty("fastest").GetDouble(), work.GetProperty("slowest").GetDouble()));
        Assert.Equal(1, works.Single(work => Text(work, "work") == "checkout, bare calls").GetProperty("toFloor").GetDouble());
    }

    [Fact]
    public void Hash_and_version()
    {
        Assert.Equal(("tree/etc/new", world.Run("hash", "tree/etc/new").Output[7..71]), (Text(Read("hash", "tree/etc/new")[0], "file"), Text(Read("hash", "tree/etc/new")[0], "digest")));
        JsonElement image = Read("checkout", "--composefs", "a", "image");
        Assert.Equal(new FileInfo(world.At("image")).Length, image.GetProperty("bytes").GetInt64());
        world.Refuses(1, "the file exists", ["checkout", "--composefs", "a", "image"]);
        Read("checkout", "--composefs", "--force", "a", "image");
        Assert.Equal($"sha256:{Text(image, "image")} image\n", world.Run("hash", "image").Output);
        string? ours = Text(Read("image-digest", "--mounted", "a"), "digest");
        Assert.Equal(world.Run("image-digest", "a").Output.Trim(), Text(Read("image-digest", "a"), "digest"));
        Assert.NotEqual(world.Run("image-digest", "a").Output.Trim(), ours);
        Assert.Equal(1, Read("version").GetProperty("storeFormat").GetInt32());
    }

    /// <summary>Parses a command's output. Every field of it must be in JSON.md.</summary>
    private JsonElement Read(params string[] arguments) => Read(0, arguments);

    private JsonElement Read(int code, params string[] arguments)
    {
        ToolResult result = world.Run([.. arguments, "--json"]);
        Assert.Equal(code, result.ExitCode);
        JsonElement document = JsonDocument.Parse(result.Output).RootElement;
        string described = Repository.Read("cli/JSON.md");
        Assert.All(Fields(document).Distinct().Where(field => field != "k"), field => Assert.Contains($"`{(field == "pathBase64" ? "path" : field)}`", described));
        return document;
    }

    private static IEnumerable<string> Fields(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(p => Fields(p.Value).Prepend(p.Name)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Fields),
        _ => [],
    };

    private static string? Text(JsonElement element, string field) => element.GetProperty(field).GetString();
}
