using System.Text.Json;

namespace HackTree.Tests.Cli;

/// <summary>Two refs of a shared history, each with a commit of its own, and roots that hold more.</summary>
public sealed class HoldersWorld : IDisposable
{
    internal CliWorld World { get; } = new();

    public HoldersWorld() => World.Shell(
        """
        set -e
        write() { head -c "$1" /dev/urandom > "tree/$2"; }
        write 20000 old; $H commit -q -b main tree; rm tree/old
        write 30000 shared; ln tree/shared tree/usr/twice; $H commit -q -b main tree; $H refs set other main
        write 40000 usr/main; $H commit -q -b main tree; rm tree/usr/main
        write 50000 usr/other; mkdir tree/usr/d; write 9000 usr/d/x; cp tree/usr/d/x tree/usr/d/y; $H commit -q -b other tree
        for r in link boot copy; do
            rm -f tree/usr/root*; write 70000 usr/root-$r; cp tree/usr/root-$r tree/usr/root2; write 5000 etc/conf
            $H commit -q -b tmp tree
            case $r in boot) $H checkout -q --boot tmp $r;; copy) $H checkout -q --copy tmp $r;; *) $H checkout -q tmp $r;; esac
            $H refs delete tmp
        done
        $H gc > gc
        """).Succeeded();

    public void Dispose() => World.Dispose();
}

/// <summary>Who holds what: `gc --explain`, and what `du` says that only one ref or root holds.</summary>
public sealed class HoldersTests(HoldersWorld made) : IClassFixture<HoldersWorld>
{
    private readonly CliWorld world = made.World;

    [Fact]
    public void Gc_frees_what_du_said_that_only_the_removed_one_holds()
    {
        using var own = new HoldersWorld();
        JsonElement before = Du(own.World);
        foreach (string[] removal in (string[][])[["refs", "delete", "main"], ["roots", "rm", "link"], ["roots", "rm", "boot"], ["roots", "rm", "copy"], ["refs", "delete", "other"]])
        {
            string name = removal[^1];
            long announced = Find(before, name).GetProperty("freedBytes").GetInt64();
            Assert.True(announced > 40000, $"{name}: {announced}");
            own.World.Run(removal).Succeeded();
            Assert.Equal(announced, Json(own.World, "gc").GetProperty("bytesFreed").GetInt64());
            JsonElement after = Du(own.World);
            Assert.Equal(announced, before.GetProperty("allocatedBytes").GetInt64() - after.GetProperty("allocatedBytes").GetInt64());
            before = after;
        }
    }

    [Fact]
    public void What_has_another_holder_is_nobodys_alone()
    {
        world.Shell("$H refs set again main; ln link/usr/root-link kept").Succeeded();
        JsonElement shared = Du();
        world.Shell("$H refs delete again; rm kept").Succeeded();
        JsonElement alone = Du();
        Assert.Equal(0, Find(shared, "main").GetProperty("freedBytes").GetInt64());
        Assert.True(Find(alone, "main").GetProperty("freedBytes").GetInt64() > 40000);

        // A name outside the store keeps the content.
        Assert.True(Find(alone, "link").GetProperty("freedBytes").GetInt64() - Find(shared, "link").GetProperty("freedBytes").GetInt64() >= 70000);
    }

    [Fact]
    public void A_roots_own_space_is_what_goes_with_it()
    {
        world.Shell(
            """
            cd boot; mkdir new; head -c 80000 /dev/urandom > new/one; ln new/one new/two; ln -s x new/link
            rm usr/twice; head -c 60000 /dev/urandom > usr/twice
            """).Succeeded();

        // du counts an inode once. What has all its names in the root goes with it.
        string sum = world.Shell(
            """
            for root in boot copy; do
                find $root -printf '%i %n %b %y\n' | awk '{ seen[$1]++; links[$1] = $4 == "d" ? seen[$1] : $2; blocks[$1] = $3 }
                    END { for (i in seen) if (seen[i] == links[i]) sum += blocks[i]; print sum * 512 }'
            done
            """).Succeeded();
        JsonElement du = Du();
        Assert.Equal(sum, $"{Find(du, "boot").GetProperty("ownBytes")}\n{Find(du, "copy").GetProperty("ownBytes")}\n");
    }

    [Fact]
    public void A_commit_is_held_by_the_refs_that_lead_to_it_and_by_its_roots()
    {
        JsonElement first = Explain("other~2");
        Assert.Equal(("commit", true), (first.GetProperty("kind").GetString(), first.GetProperty("held").GetBoolean()));
        Assert.Equal(["ref main 2", "ref other 2"], Holders(first));
        Assert.Matches("^commit [0-9a-f]{64}: held by\n  ref main, 2 generations back in [0-9a-f]{16}\n  ref other, 2 ", Text("other~2"));
        string commit = Json("roots")[0].GetProperty("commit").GetString()!;
        Assert.Equal(["root boot 0"], Holders(Explain(commit[..12])));
    }

    [Fact]
    public void A_depth_lets_go_of_older_commits()
    {
        string commit = Json("show", "main~2").GetProperty("commit").GetString()!;
        Assert.Equal($"commit {commit}: nothing holds it, gc would remove it\n", Text(commit, "--depth", "1"));
        Assert.False(Json("gc", "--explain", commit, "--depth", "1").GetProperty("held").GetBoolean());
        Assert.True(Json("gc", "--explain", commit, "--depth", "2").GetProperty("held").GetBoolean());
    }

    [Fact]
    public void An_object_is_named_by_its_file_its_name_or_its_digest()
    {
        JsonElement file = Explain("./link/usr/twice");
        Assert.Equal(["ref main 0", "ref other 0", "root boot 0", "root copy 0", "root link 0"], Holders(file));
        JsonElement main = file.GetProperty("holders")[0];
        Assert.Equal((2L, 2L), (main.GetProperty("commits").GetInt64(), main.GetProperty("pathCount").GetInt64()));
        Assert.Equal(["shared", "usr/twice"], main.GetProperty("paths").EnumerateArray().Select(path => path.GetString()));
        string name = file.GetProperty("name").GetString()!;
        Assert.Equal(Holders(file), Holders(Explain(name)));
        Assert.Equal(Holders(file), Holders(Explain($"{world.At("objects")}/files/{name}")));
        JsonElement content = Explain(world.Run("hash", "link/usr/twice").Succeeded().Split(' ')[0]);
        Assert.Equal(("content", Holders(file).Count), (content.GetProperty("kind").GetString(), Holders(content).Count));
        Assert.Contains("\n  ref main, in 2 commits: shared, usr/twice\n", Text("link/usr/twice"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_stands_for_its_tree()
    {
        JsonElement tree = Explain("link/usr/d");
        Assert.Equal("tree", tree.GetProperty("kind").GetString());
        Assert.Equal(["ref other 0", "root boot 0", "root copy 0", "root link 0"], Holders(tree));
        Assert.Equal(Holders(tree), Holders(Explain(tree.GetProperty("name").GetString()!)));
    }

    [Fact]
    public void What_nothing_holds_is_said_to_go_and_goes()
    {
        world.Shell("echo unheld > tree/unheld; $H commit -q -b short tree; rm tree/unheld; $H checkout -q short short; ln short/unheld alone; $H refs delete short; $H roots rm short").Succeeded();
        string text = Text("./alone");
        Assert.Contains(": nothing holds it, gc would remove it\nits content lives on in directories outside the store, which have 1 name of it\n", text, StringComparison.Ordinal);
        string name = text.Split(' ', ':')[1];
        Assert.True(File.Exists($"{world.At("objects")}/files/{name}"));
        world.Run("gc").Succeeded();
        Assert.False(File.Exists($"{world.At("objects")}/files/{name}"));
    }

    [Fact]
    public void A_damaged_record_still_holds_what_it_names()
    {
        string commit = world.Shell("cp objects/roots/copy.json .; sed -i 's/Ready/Reedy/' objects/roots/copy.json; grep -o '[0-9a-f]\\{64\\}' copy.json").Succeeded()[..64];
        Assert.Equal(["root copy 0"], Holders(Explain(commit)));
        world.Shell("cp copy.json objects/roots").Succeeded();
    }

    [Fact]
    public void Many_holders_are_told_in_few_lines()
    {
        world.Shell("for i in 1 2 3 4 5 6 7; do cp objects/refs/main objects/refs/r$i; done").Succeeded();
        string text = Text("main");
        int holders = Holders(Explain("main")).Count;
        world.Shell("rm objects/refs/r[0-9]").Succeeded();
        Assert.Equal((7, 8), (text.TrimEnd().Split('\n').Length, holders));
        Assert.EndsWith("  and 3 more refs\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nothing", "is no ref and no commit")]
    [InlineData("tree/old/none", "tree/old/none")]
    [InlineData("tree/usr/bin/hi", "it is no object of ")]
    [InlineData("tree/usr", "it is no directory of a root's commit")]
    [InlineData("link/usr/bin/hello", "neither a file nor a directory")]
    [InlineData("boot/etc/passwd", "it is no object of ")]
    public void What_the_store_does_not_have_is_refused(string thing, string words) => world.Refuses(1, words, ["gc", "--explain", thing]);

    private static List<string> Holders(JsonElement explanation) =>
        [.. explanation.GetProperty("holders").EnumerateArray().Select(x => $"{x.GetProperty("kind")} {x.GetProperty("name")} {x.GetProperty("generations")}")];

    private static JsonElement Find(JsonElement du, string name) =>
        du.GetProperty("refs").EnumerateArray().Concat(du.GetProperty("rootUsage").EnumerateArray()).Single(x => x.GetProperty("name").GetString() == name);

    private JsonElement Du() => Du(world);

    private static JsonElement Du(CliWorld world) => Json(world, "du");

    private JsonElement Explain(string thing) => Json("gc", "--explain", thing);

    private string Text(params string[] arguments) => world.Run(["gc", "--explain", .. arguments]).Succeeded();

    private JsonElement Json(params string[] arguments) => Json(world, arguments);

    private static JsonElement Json(CliWorld world, params string[] arguments) => JsonDocument.Parse(world.Run([.. arguments, "--json"]).Succeeded()).RootElement;
}
