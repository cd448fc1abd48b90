using System.Text.Json;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>What people of OSTree type: the same words do here what they do there, with the real `ostree` beside.</summary>
public sealed class OstreeVerbTests : IDisposable
{
    private readonly CliWorld world = new();

    public OstreeVerbTests()
    {
        Tools.Require("ostree");

        // OSTree has no fifo, and no name that is not UTF-8.
        world.Shell("set -e; rm tree/usr/share/pipe tree/usr/share/bad*; ostree init --repo=repo --mode=bare-user").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void An_orphan_is_named_by_no_ref_and_goes_with_the_next_collection()
    {
        world.Shell("""
            set -e
            o=$(ostree --repo=repo commit --orphan tree); [ -z "$(ostree --repo=repo refs)" ]; ostree --repo=repo show $o | grep -q Date
            h=$($H commit -q --orphan tree); [ -z "$($H refs)" ]; $H show $h | grep -q "^commit   $h"; ! $H show $h | grep -q ^parent
            $H fsck > /dev/null
            ostree --repo=repo prune --refs-only > /dev/null; ! ostree --repo=repo show $o 2> /dev/null
            $H gc > /dev/null; ! $H show $h 2> /dev/null
            first=$($H commit -q -b a tree); next=$($H commit -q --orphan --parent a tree); $H show $next | grep -qx "parent   $first"
            $H refs set b $next; $H gc > /dev/null; [ "$($H rev-parse b b^)" = "$next"$'\n'"$first" ]
            """).Succeeded();
        Assert.Equal(JsonValueKind.Null, JsonDocument.Parse(world.Run("commit", "--orphan", "--json", "tree").Succeeded()).RootElement.GetProperty("ref").ValueKind);
        world.Refuses(2, "--orphan makes a commit that no ref names: leave out -b", ["commit", "--orphan", "-b", "a", "tree"]);
        world.Refuses(2, "nothing would keep the commit of --orphan", ["commit", "--orphan", "--consume", "tree"]);
        world.Refuses(2, "--skip-if-unchanged compares with the commit of a ref", ["commit", "--orphan", "--skip-if-unchanged", "tree"]);
    }

    [Theory]
    [InlineData("@1700000000", 1700000000)]
    [InlineData("2023-11-14T22:13:20Z", 1700000000)]
    [InlineData("2023-11-14 23:13:20+01:00", 1700000000)]
    [InlineData("2023-11-14 22:13:20 +00:00", 1700000000)]
    public void A_time_is_understood_as_ostree_does(string time, long seconds)
    {
        world.Shell($"ostree --repo=repo commit -b t/a --timestamp='{time}' tree").Succeeded();
        Assert.Equal($"{seconds}\n", world.Shell("date -d \"$(ostree --repo=repo show t/a | sed -n 's/^Date: *//p')\" +%s").Succeeded());
        Assert.Equal(seconds, TimeOf(time));
    }

    [Theory]
    [InlineData("2023-11-14t22:13:20.75z", 1700000000)]
    [InlineData("@-1", -1)]
    [InlineData("1969-12-31T23:59:59-00:00", -1)]
    public void Other_times_of_the_standard_are_understood_too(string time, long seconds) => Assert.Equal(seconds, TimeOf(time));

    [Theory]
    [InlineData("2023-11-14T22:13:20")]
    [InlineData("2023-11-14")]
    [InlineData("2023-02-30T00:00:00Z")]
    [InlineData("@")]
    [InlineData("@1.5")]
    [InlineData("@99999999999999999999")]
    [InlineData("yesterday")]
    public void No_time_is_guessed(string time) =>
        world.Refuses(2, $"--timestamp: '{time}' is no time; write 2026-", ["commit", "-b", "a", "--timestamp", time, "tree"]);

    [Fact]
    public void A_time_that_is_given_wins_over_that_of_the_build() =>
        Assert.Equal(5, Json("show", "--json", world.RunWith("SOURCE_DATE_EPOCH=7", "commit", "-b", "a", "--timestamp", "@5", "tree").Succeeded().Trim()).GetProperty("time").GetInt64());

    [Fact]
    public void Ids_are_printed_as_by_rev_parse()
    {
        string first = world.Commit("a"), second = world.Commit("a", "-m", "two");
        world.Shell("for i in 1 2; do ostree --repo=repo commit -b t/a -s $i tree; done").Succeeded();
        string[] theirs = world.Shell("ostree --repo=repo rev-parse t/a; ostree --repo=repo rev-parse t/a^").Succeeded().Split('\n');
        Assert.All(theirs[..2], id => Assert.Matches("^[0-9a-f]{64}$", id));
        Assert.Equal($"{second}\n{first}\n", world.Run("rev-parse", "a", "a^").Succeeded());
        Assert.Equal($"{first}\n", world.Run("rev-parse", first[..12]).Succeeded());
        Assert.Equal($$"""[{"revision":"a^","commit":"{{first}}"}]""" + "\n", world.Run("rev-parse", "--json", "a^").Succeeded());
        world.Refuses(1, "'nothing' is no ref and no commit", ["rev-parse", "a", "nothing"]);
        world.Refuses(2, "COMMIT is missing", ["rev-parse"]);
    }

    [Fact]
    public void An_alias_follows_its_ref_as_with_ostree()
    {
        string first = world.Commit("t/a");
        world.Shell("""
            set -e
            ostree --repo=repo commit -b t/a -s 1 tree; ostree --repo=repo refs --alias --create=stable t/a
            ostree --repo=repo commit -b t/a -s 2 tree; [ $(ostree --repo=repo rev-parse stable) = $(ostree --repo=repo rev-parse t/a) ]
            ! ostree --repo=repo refs --alias --create=x nothing; ! ostree --repo=repo refs --delete t/a
            [ "$(ostree --repo=repo refs --alias)" = "stable -> t/a" ]
            """).Succeeded();
        world.Run("refs", "alias", "stable", "t/a").Succeeded();
        string second = world.Commit("t/a", "-m", "two");
        Assert.Equal($"{second}\n{first}\n", world.Run("rev-parse", "stable", "stable^").Succeeded());
        Assert.StartsWith($"stable -> t/a  {second[..16]}  ", world.Run("refs").Succeeded());
        Assert.Equal(["\"t/a\"", "null"], Json("refs", "--json").EnumerateArray().Select(each => each.GetProperty("alias").GetRawText()));
        Assert.Contains("(stable, t/a)", world.Run("log", "t/a").Succeeded());
        Assert.Equal(world.Run("refs", "log", "t/a").Succeeded(), world.Run("refs", "log", "stable").Succeeded());
        world.Run("checkout", "-q", "stable", "r0").Succeeded();
        world.Refuses(1, "there is no ref 'nothing'", ["refs", "alias", "x", "nothing"]);
        world.Refuses(1, "'t/a' has the alias 'stable'", ["refs", "delete", "t/a"]);
        world.Refuses(1, "'stable' is an alias of 't/a', so it cannot be set itself", ["refs", "set", "stable", "t/a^"]);
        world.Refuses(1, "'stable' is an alias of 't/a', so it cannot be set itself", ["commit", "-b", "stable", "tree"]);
        world.Refuses(1, "--depth-of: 'stable' is an alias, and a history is that of a ref: 't/a'", ["gc", "--depth-of", "stable=1"]);
        world.Refuses(2, "REF is missing", ["refs", "alias", "stable"]);

        world.Shell("rm objects/refs/t/a").Succeeded();
        world.Refuses(1, "'stable' is an alias of 't/a', and there is no such ref; give it a ref with `hacktree refs alias`", ["log", "stable"]);
        world.Shell("$H refs > out 2> err; [ $? = 1 ]; grep -q 'stable .*damaged' out; grep -q \"alias 'stable' leads nowhere: there is no ref 't/a'\" err").Succeeded();
        Assert.Equal(3, world.Run("fsck").ExitCode);
        world.Run("refs", "delete", "stable").Succeeded();
    }

    [Fact]
    public void One_annotation_is_printed()
    {
        world.Shell("ostree --repo=repo commit -b t/a --add-metadata-string='version=1 \"x\"' tree; $H commit -q -b a --meta 'version=1 \"x\"' tree").Succeeded();
        Assert.Equal("'1 \"x\"'\n", world.Shell("ostree --repo=repo show --print-metadata-key=version t/a").Succeeded());
        Assert.Equal("1 \"x\"\n", world.Run("show", "--meta", "version", "a").Succeeded());
        Assert.Equal("\"1 \\\"x\\\"\"\n", world.Run("show", "--json", "--meta", "version", "a").Succeeded());
        Assert.Equal(1, world.Shell("ostree --repo=repo show --print-metadata-key=other t/a").ExitCode);
        world.Refuses(1, "a has no annotation 'other'; it has version", ["show", "--meta", "other", "a"]);
    }

    [Fact]
    public void Digests_are_listed_beside_names()
    {
        world.Commit("a");
        Assert.Matches("^-00755 .* [0-9a-f]{64} /usr/bin/hi\n$", world.Shell("ostree --repo=repo commit -b t/a tree > /dev/null; ostree --repo=repo ls -C t/a /usr/bin/hi").Succeeded());
        string digest = world.Run("hash", "tree/usr/bin/hi").Succeeded()["sha256:".Length..][..64];
        Assert.Equal($"{digest}  hi\n", world.Run("ls", "--digest", "a", "usr/bin/hi").Succeeded());
        Assert.EndsWith($" {digest}  hi\n", world.Run("ls", "-lC", "a", "usr/bin/hi").Succeeded());
        Assert.Equal($"{"-".PadRight(66)}hello\n", world.Run("ls", "-C", "a", "usr/bin/hello").Succeeded());
        string tree = world.Shell("$H show --json a | grep -o '\"tree\":\"[0-9a-f]*' | cut -d '\"' -f 4").Succeeded().Trim();
        Assert.NotEqual(tree, world.Run("ls", "-C", "a").Succeeded()[..64]);
        Assert.Matches("^[0-9a-f]{64}  etc\n[0-9a-f]{64}  usr\n$", world.Run("ls", "--digest", "a").Succeeded());
    }

    [Fact]
    public void What_is_younger_is_kept()
    {
        // Both have commits of 1, 20, 40 and 60 days ago.
        world.Shell("""
            set -e
            for days in 60 40 20 1; do
                time=@$(($(date +%s) - days * 86400))
                echo $days > tree/etc/days
                ostree --repo=repo commit -b t/a --timestamp=$time -s $days tree > /dev/null
                $H commit -q -b a --timestamp $time -s $days tree > /dev/null
            done
            """).Succeeded();
        Assert.Equal("1 20 40", Kept("--keep-younger-than", "50 days ago", "--dry-run"));
        world.Shell("ostree --repo=repo prune --keep-younger-than='30 days ago'").Succeeded();
        string theirs = world.Shell("ostree --repo=repo log t/a | sed -n 's/^    //p' | grep -x '[0-9]*' | paste -sd ' '").Succeeded().Trim();
        Assert.Equal("1 20", theirs);
        Assert.Equal(theirs, Kept("--keep-younger-than", "30 days ago"));
        Assert.Equal("1 20", Kept("--keep-younger-than", "12h", "--depth", "1"));
        Assert.Equal("1", Kept("--keep-younger-than", "12h"));
        world.Refuses(2, "--keep-younger-than: 'soon' is no time; write '30 days ago'", ["gc", "--keep-younger-than", "soon"]);
        world.Refuses(2, "is no time", ["gc", "--keep-younger-than", "30"]);
    }

    [Fact]
    public void A_ref_has_a_depth_of_its_own()
    {
        world.Shell("""
            set -e
            for ref in stable nightly/b nightly/c; do
                for i in 1 2 3 4; do
                    echo $ref $i > tree/etc/version
                    ostree --repo=repo commit -b $ref -s $i tree > /dev/null
                    $H commit -q -b $ref -s $i tree > /dev/null
                done
            done
            ostree --repo=repo prune --refs-only --keep-younger-than='1 day' --retain-branch-depth=stable=2 --retain-branch-depth=nightly/b=1 > /dev/null
            """).Succeeded();
        world.Run("gc", "-q", "--depth", "0", "--depth-of", "nightly/*=3", "--depth-of", "nightly/b=1", "--depth-of", "stable=2").Succeeded();
        Assert.Equal(("3", "2", "4"), (Count("stable"), Count("nightly/b"), Count("nightly/c")));
        Assert.Equal("3 2", world.Shell("for ref in stable nightly/b; do ostree --repo=repo log $ref | grep -c ^commit; done | paste -sd ' '").Succeeded().Trim());
        world.Refuses(1, "--depth-of: there is no ref 'night'", ["gc", "--depth-of", "night=3"]);
        world.Refuses(2, "--depth-of takes REF=N, not 'a'", ["gc", "--depth-of", "a"]);
        world.Refuses(2, "--depth-of takes REF=N, not 'a=-1'", ["gc", "--depth-of", "a=-1"]);

        string Count(string name) => world.Shell($"$H log {name} | grep -c '^[0-9a-f]\\{{16\\}}'").Succeeded().Trim();
    }

    /// <summary>An ancestor that is young enough keeps the history to itself whole, whatever a clock did between.</summary>
    [Fact]
    public void A_history_is_kept_without_holes()
    {
        world.Shell("for t in 100 900 200 300; do $H commit -q -b a -s $t --timestamp @$t tree > /dev/null; done").Succeeded();
        Assert.Equal("300 200 900", Kept("--keep-younger-than", "@800"));
        Assert.Contains("nothing holds it", world.Shell("$H gc --explain a --keep-younger-than @2000 > /dev/null; $H gc --explain a^ --keep-younger-than @2000").Succeeded());
    }

    [Fact]
    public void Owners_and_modes_are_overridden_as_by_ostree()
    {
        Assert.SkipUnless(HackTree.Linux.Sys.IsRoot, "owners need root");
        world.Shell("""
            set -e
            chown 5:6 tree/etc tree/usr/bin/hello tree/etc/passwd; chmod 664 tree/etc/os-release; ostree init --repo=bare --mode=bare
            printf '+2048 /usr/bin/hi\n=384 /etc/os-release\n\n=448 /usr/share\n=457 /\n' > so
            ostree --repo=bare commit -b t/a --owner-uid=7 --owner-gid=8 --statoverride=so tree > /dev/null; ostree --repo=bare checkout t/a theirs
            $H commit -q -b a --owner 7 --group 8 --statoverride so tree > /dev/null; $H checkout -q --copy a ours; $H fsck > /dev/null
            $H commit -q -b same --owner 7 --group 8 --statoverride so --skip-if-unchanged tree > /dev/null
            [ $($H commit -q -b same --owner 7 --group 8 --statoverride so --skip-if-unchanged tree) = $($H rev-parse same) ]
            setfacl -m u:9:rwx,m::r tree/etc/passwd; setfacl -m u:9:rx,d:u:9:rw tree/etc
            for mode in go-w u=rwX,go=rX a+s,o=t g=w,u-x+w 750 +X-r; do
                rm -rf chmod; cp -a tree chmod; chmod -R $mode chmod 2> /dev/null || true
                $H commit -q -b theirs chmod > /dev/null; $H commit -q -b mine --mode $mode tree > /dev/null
                [ -z "$($H diff theirs mine)" ] || { echo $mode; exit 1; }
            done
            rm -rf root; $H checkout -q mine root; $H commit -q -b again --mode +X-r root > /dev/null; [ -z "$($H diff mine again)" ]
            """).Succeeded();
        Comparison.Same(world.At("theirs"), world.At("ours"), "--without", "mtime");
        world.Shell("echo '+2048 /usr/bin/nope' > nope; echo '=0755 /etc' > octal; echo '=4096 /etc' > large; echo '493 etc' > path").Succeeded();
        Assert.NotEqual(0, world.Shell("ostree --repo=bare commit -b t/a --statoverride=nope tree").ExitCode);
        RefusesCommit(1, "/usr/bin/nope: the tree has no such file or directory", "--statoverride", "nope", "tree");
        foreach (string file in (string[])["octal", "large", "path"])
        {
            RefusesCommit(1, $"{file}: line 1 is not '+BITS /PATH'", "--statoverride", file, "tree");
        }

        RefusesCommit(1, "none", "--statoverride", "none", "tree");
        RefusesCommit(2, "--owner: 'root' is no number", "--owner", "root", "tree");
        RefusesCommit(2, "--group: '4294967295' is no number", "--group", "4294967295", "tree");
        RefusesCommit(2, "--mode: 'u+q' is no mode", "--mode", "u+q", "tree");
        RefusesCommit(2, "--mode is for a directory", "--mode", "u+w", "--tar", "x.tar");
        RefusesCommit(2, "--owner is for a directory", "--owner", "0", "--consume", "tree");
    }

    [Fact]
    public void A_tree_is_laid_over_a_commit_as_by_ostree()
    {
        world.Shell("""
            set -e
            mkdir -p over/usr/bin over/new; echo changed > over/usr/bin/hi; echo new > over/new/file; chmod 700 over/usr; ln -s x over/usr/bin/hello
            ostree --repo=repo commit -b t/a tree > /dev/null; ostree --repo=repo commit -b t/b --base=t/a over > /dev/null; ostree --repo=repo checkout -U t/b theirs
            $H commit -q -b a tree > /dev/null; $H commit -q -b b --base a over > /dev/null; $H checkout -q --copy b ours
            [ $($H commit -q -b c --base a --tree over --skip-if-unchanged) ]; $H diff b c; tar -C over -cf over.tar .; $H commit -q -b d --base a --tar over.tar > /dev/null; $H diff b d
            mkdir a; $H commit -q -b e --base a over > /dev/null; rmdir a; $H diff b e; $H fsck > /dev/null
            """).Succeeded();
        Comparison.Same(world.At("theirs"), world.At("ours"), "--without", "mtime", "--without", "xattrs");
        RefusesCommit(1, "'none' is no ref and no commit", "--base", "none", "tree");
        RefusesCommit(2, "--base goes with a directory or archives", "--base", "a", "--consume", "tree");
    }

    [Fact]
    public void A_tree_is_checked_out_over_a_directory_as_by_ostree()
    {
        world.Shell("""
            set -e
            mkdir -p theirs/etc theirs/usr/bin; chmod 700 theirs/etc; echo mine > theirs/etc/mine; echo old > theirs/etc/passwd; ln -s /etc theirs/usr/bin/hi
            cp -a theirs ours; ostree --repo=repo commit -b t/a tree > /dev/null; $H commit -q -b a tree > /dev/null
            ostree --repo=repo checkout -U --union t/a theirs; $H checkout -q --union --copy a ours
            """).Succeeded();
        Comparison.Same(world.At("theirs"), world.At("ours"), "--without", "mtime", "--without", "xattrs");
    }

    private void RefusesCommit(int code, string words, params string[] arguments)
    {
        ToolResult result = world.Run(["commit", "-b", "refused", .. arguments]);
        Assert.Contains(words, result.Error);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.Equal((code, ""), (result.ExitCode, result.Output));
        Assert.False(File.Exists(world.At("objects/refs/refused")));
    }

    private string Kept(params string[] options)
    {
        world.Shell("cp -a objects before").Succeeded();
        JsonElement freed = Json(["gc", "--json", .. options]);
        if (options.Contains("--dry-run"))
        {
            int dropped = freed.GetProperty("commitsDropped").GetInt32();
            Assert.Equal("", world.Shell("diff -r objects before").Succeeded());
            return string.Join(' ', Subjects()[..^dropped]);
        }

        world.Shell("$H fsck > /dev/null; rm -r before").Succeeded();
        return string.Join(' ', Subjects());
    }

    private string[] Subjects() => [.. Json("log", "--json", "a").EnumerateArray().Select(commit => commit.GetProperty("subject").GetString()!)];

    private long TimeOf(string time) => Json("show", "--json", world.Commit("t", "--timestamp", time)).GetProperty("time").GetInt64();

    private JsonElement Json(params string[] arguments) => JsonDocument.Parse(world.Run(arguments).Succeeded()).RootElement;
}
