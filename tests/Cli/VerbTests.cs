using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Each command does its work on a small tree.</summary>
public sealed class VerbTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void Init_says_where()
    {
        ToolResult result = world.Run([.. CliWorld.Init, "other"]);
        Assert.Equal(world.At("other") + "\n", result.Succeeded());
        Assert.Empty(result.Error);
        world.Run("--store", "other", "refs").Succeeded();
    }

    [Fact]
    public void Init_makes_an_ordinary_user_a_user_store_and_says_so() => ChildRun.AsOrdinaryUser(() =>
    {
        Assert.Contains("user store", world.Run("init", "other").Error);
        Assert.Contains("\"userMode\": true", File.ReadAllText(world.At("other/format")));
    });

    [Fact]
    public void Commit_prints_the_id_alone_and_the_rest_on_standard_error()
    {
        ToolResult result = world.Run("commit", "-b", "a", "-s", "one", "tree");
        Assert.Matches("^[0-9a-f]{64}\n$", result.Succeeded());
        Assert.Matches("^hacktree: 9 files, 100 kB; new: [0-9]+ objects, 100 kB, 6 trees, a pack of .*; .* s\n$", result.Error);
        Assert.Empty(world.Run("commit", "-q", "-b", "a", "tree").Error);
    }

    [Fact]
    public void Commit_takes_its_time_from_SOURCE_DATE_EPOCH()
    {
        string first = world.RunWith("SOURCE_DATE_EPOCH=1000000000", "commit", "-b", "a", "tree").Succeeded();
        string second = world.RunWith("SOURCE_DATE_EPOCH=1000000000", "commit", "-b", "b", "tree").Succeeded();
        Assert.Equal(first, second);
        Assert.Contains("time     2001-09-09 01:46:40 UTC\n", world.Run("show", "a").Succeeded());
    }

    [Fact]
    public void Commit_keeps_subject_body_annotations_and_parent()
    {
        string first = world.Commit("a");
        world.Commit("b", "--parent", first[..10], "-s", "sub", "-m", "line 1\nline 2", "--meta", "k=v", "--meta", "built.by=me=you");
        string shown = world.Run("show", "b").Succeeded();
        Assert.Contains($"parent   {first}\n", shown);
        Assert.Contains("meta     built.by=me=you\nmeta     k=v\n\n    sub\n\n    line 1\n    line 2\n", shown);
    }

    [Fact]
    public void Commit_leaves_out_what_is_excluded()
    {
        world.Commit("a", "--exclude", "*.nothing", "--exclude", "/usr/share/*", "--exclude", "passwd");
        Assert.Equal("etc\netc/os-release\nusr\nusr/bin\nusr/bin/hello\nusr/bin/hi\nusr/share\n", world.Run("ls", "-R", "a").Succeeded());
    }

    [Fact]
    public void Commit_consumes_a_tree()
    {
        world.Shell("cp -a tree copy").Succeeded();
        world.Run("commit", "-b", "a", "--consume", "copy").Succeeded();
        Assert.False(Directory.Exists(world.At("copy")));
        Assert.Equal(0, world.Run("diff", "a", "tree").ExitCode);
    }

    [Fact]
    public void Commit_takes_a_tar_from_a_file_and_a_pipe()
    {
        world.Shell("""
            set -e
            tar -C tree -cf tree.tar .
            $H commit -b file --tar tree.tar
            cat tree.tar | $H commit -b pipe --tar -
            $H diff file pipe
            $H diff --stat file ./tree
            """).Succeeded();
    }

    [Fact]
    public void Checkout_makes_hardlinks_and_is_listed()
    {
        string commit = world.Commit();
        ToolResult result = world.Run("checkout", "debian/test", "r0");
        Assert.Empty(result.Succeeded());
        Assert.Contains($"hacktree: {world.At("r0")}: 9 files, commit {commit[..16]}; ", result.Error);
        Assert.Contains("do not write into it, nor run apt there", result.Error);
        Assert.Equal("0\n", world.Shell("find r0 -type f -links 1 | wc -l").Succeeded());
        world.Shell("diff -r --no-dereference -x pipe tree r0").Succeeded();
        Assert.Matches($"^ready  {world.At("r0")}  {commit[..16]}  [-0-9]+ [0-9:]+  hardlink  debian/test\n$", world.Run("roots").Succeeded());
    }

    [Fact]
    public void Checkout_copies_a_part_and_replaces()
    {
        world.Commit();
        world.Run("checkout", "--copy", "--subpath", "/usr/share/", "debian/test", "part").Succeeded();
        Assert.Equal("0\n", world.Shell("find part -type f -links +1 | wc -l").Succeeded());
        world.Shell("diff -r --no-dereference -x pipe tree/usr/share part").Succeeded();
        world.Run("checkout", "--force", "debian/test", "part").Succeeded();
        Assert.True(File.Exists(world.At("part/etc/os-release")));
    }

    [Fact]
    public void Refs_are_listed_set_and_deleted_and_their_logs_stay()
    {
        string first = world.Commit("a", "-s", "one");
        string second = world.Commit("a", "-s", "two");
        world.Run("refs", "set", "old/a", "a^").Succeeded();
        Assert.Matches($"^a      {second[..16]}  [-0-9]+ [0-9:]+  two\nold/a  {first[..16]}  [-0-9]+ [0-9:]+  one\n$", world.Run("refs").Succeeded());
        world.Run("refs", "delete", "a").Succeeded();
        Assert.StartsWith("old/a ", world.Run("refs").Succeeded());
        const string time = "[-0-9]+ [0-9:]+";
        string log = $"{time}  none              deleted\n{time}  {second[..16]}  commit: two\n{time}  {first[..16]}  commit: one\n";
        Assert.Matches($"^{log}$", world.Run("refs", "log", "a").Succeeded());
        world.Shell($"printf %s {first} >> objects/logs/a.log").Succeeded();
        ToolResult cut = world.Run("refs", "log", "a");
        Assert.Matches($"^{log}$", cut.Succeeded());
        Assert.Contains($"is incomplete: {first}", cut.Error);
    }

    [Fact]
    public void Log_follows_parents()
    {
        string[] commits = [world.Commit("a", "-s", "one"), world.Commit("a", "-s", "two"), world.Commit("a", "-s", "three")];
        string[] lines = world.Run("log", "a").Succeeded().Split('\n');
        Assert.Equal([.. commits.Reverse().Select(c => c[..16]), ""], lines.Select(line => line.Split(' ')[0]));
        Assert.EndsWith("(a) three", lines[0]);
        Assert.Equal(lines[1..], world.Run("log", "a^").Succeeded().Split('\n'));
        Assert.Equal(lines[0] + "\n", world.Run("log", "-n", "1").Succeeded());
    }

    [Fact]
    public void Ls_and_cat_show_what_is_there()
    {
        world.Commit();
        Assert.Equal("etc\nusr\n", world.Run("ls", "debian/test").Succeeded());
        Assert.Equal("bad\\377name\ndoc\nempty\nnew\\nline\npipe\n", world.Run("ls", "debian/test", "/usr/share/").Succeeded());
        string uid = $"{Sys.EffectiveUid,5} {Sys.EffectiveGid,5}";
        Assert.Equal($"lrwxrwxrwx  {uid}          0 2024-05-06 07:08 hello -> hi\n-rwxr-xr-x  {uid}         18 2024-05-06 07:08 hi\n", world.Run("ls", "-ln", "debian/test", "usr/bin").Succeeded());
        Assert.Equal("doc/large\n", string.Concat(world.Run("ls", "-lR", "debian/test", "usr/share").Succeeded().Split('\n').Where(l => l.EndsWith("large")).Select(l => l[^9..] + "\n")));
        world.Shell("$H cat debian/test usr/share/doc/large | cmp - tree/usr/share/doc/large").Succeeded();
        world.Shell("""$H cat debian/test usr/share/$'bad\377name'; $H ls debian/test usr/share/$'bad\377name'""").Succeeded();
    }

    [Fact]
    public void Ls_names_owners_as_the_tree_does()
    {
        string owner = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Sys.EffectiveUid}"), group = Sys.EffectiveGid.ToString(System.Globalization.CultureInfo.InvariantCulture);
        world.Shell($"printf 'someone:x:{owner}:0\nother:x:{owner}:0\n' > tree/etc/passwd; printf 'them:x:{group}:\n' > tree/etc/group").Succeeded();
        world.Commit("a");
        Assert.Contains("-rwxr-xr-x  someone  them             18 2024-05-06 07:08 hi\n", world.Run("ls", "-l", "a", "usr/bin").Succeeded());
        Assert.Equal(world.Run("ls", "-n", "a", "usr/bin").Succeeded(), world.Run("ls", "-ln", "a", "usr/bin").Succeeded());
        world.Shell("rm -r tree/etc; mkdir tree/etc").Succeeded();
        world.Commit("b");
        Assert.Contains($"-rwxr-xr-x  {owner,-8} {group,-8} ", world.Run("ls", "-l", "b", "usr/bin").Succeeded());
    }

    [Fact]
    public void Du_has_headings()
    {
        world.Commit("a");
        Assert.Matches("^REF +FILES +CONTENT +DISTINCT +ONLY HERE\na +9 +100 kB +100 kB +[0-9.]+ kB\n\nobjects ", world.Run("du").Succeeded());
        Assert.Contains("saved    0 B, by 1 ref and 0 roots", world.Run("du").Succeeded());
        world.Run("refs", "set", "b", "a").Succeeded();
        Assert.Contains("saved    0 B, by 2 refs and 0 roots", world.Run("du").Succeeded());
        world.Run("checkout", "-q", "a", "r1").Succeeded();
        Assert.Contains("saved    100 kB, by 2 refs and 1 root", world.Run("du").Succeeded());
    }

    [Fact]
    public void Cat_follows_links_inside_the_commit()
    {
        world.Shell("""
            cd tree; mkdir usr/lib; mv etc/os-release usr/lib; ln -s ../usr/lib/os-release etc/os-release; ln -s usr/lib lib
            ln -s /etc/os-release etc/absolute; ln -s ../../../../lib/os-release etc/above; ln -s one etc/two; ln -s two etc/one
            ln -s /nowhere etc/dangling; ln -s passwd/ etc/slash; ln -s . here; ln -s /etc/passwd/../passwd etc/through
            """).Succeeded();
        world.Commit("a");
        foreach (string path in (string[])["etc/os-release", "lib/os-release", "etc/absolute", "etc/above", "usr/../etc/./os-release", "../etc/os-release", "here/here/lib/os-release"])
        {
            Assert.Equal("NAME=\"Test\"\n", world.Run("cat", "a", path).Succeeded());
        }

        Assert.Contains("'etc/one' leads through more than 40 symbolic links", world.Run("cat", "a", "etc/one").Error);
        Assert.Contains("'etc/dangling' is a symlink to /nowhere, which is not in a;", world.Run("cat", "a", "etc/dangling").Error);
        Assert.Contains("'lib' is no file but a directory", world.Run("cat", "a", "lib").Error);
        Assert.Equal((1, 1), (world.Run("cat", "a", "etc/slash").ExitCode, world.Run("cat", "a", "etc/through").ExitCode));
    }

    [Fact]
    public void Exclude_takes_a_path_as_the_shell_completes_it()
    {
        world.Commit("a", "--exclude", "./usr", "--exclude", "./etc/pass*");
        Assert.Equal("etc\netc/os-release\n", world.Run("ls", "-R", "a").Succeeded());
    }

    [Theory]
    [InlineData("checkout")]
    [InlineData("image create")]
    public void Help_can_be_asked_for_as_a_verb(string verb) =>
        Assert.Equal(world.Shell($"$H {verb} --help").Succeeded(), world.Shell($"$H help {verb}").Succeeded());

    [Fact]
    public void Diff_tells_commits_and_directories_apart()
    {
        world.Commit("a");
        world.Shell("""
            rm tree/usr/share/empty; echo new > tree/etc/new; chmod 640 tree/etc/passwd
            rm tree/usr/bin/hi; mkdir tree/usr/bin/hi; touch -d '2024-05-06 07:08:09Z' tree/usr/bin tree/etc tree/usr/share
            """).Succeeded();
        const string Changes = "A etc/new\nM etc/passwd\nT usr/bin/hi\nD usr/share/empty\n";
        foreach (string[] arguments in new[] { ["a", "./tree"], new[] { "a", "tree" } })
        {
            ToolResult result = world.Run(["diff", .. arguments]);
            Assert.Equal((3, Changes), (result.ExitCode, result.Output));
        }

        world.Commit("b");
        Assert.Equal(Changes, world.Run("diff", "a", "b").Output);
        Assert.Equal("1 added, 1 deleted, 1 modified, 1 of another type; 4 B in new or changed files, 18 B in those they replace\n", world.Run("diff", "--stat", "a", "b").Output);
        Assert.Equal("", world.Run("diff", "b", "tree").Succeeded());

        // A name that is both a commit's and a directory's means the commit. "./" asks for the directory.
        world.Shell("mkdir a").Succeeded();
        Assert.Equal(0, world.Run("diff", "a", "a").ExitCode);
        Assert.Equal(3, world.Run("diff", "a", "a/").ExitCode);
    }

    [Fact]
    public void Export_gives_one_archive_whichever_way()
    {
        world.Commit();
        world.Shell("""
            set -e
            $H export debian/test --tar out.tar
            $H export debian/test --tar - | cmp - out.tar
            $H export debian/test --tar out.tar > /dev/null
            mkdir x; tar -C x -xf out.tar
            diff -r --no-dereference -x pipe tree x
            $H export debian/test --tar /dev/null
            ls
            """).Succeeded();
        Assert.Empty(Directory.GetFiles(world.Path, "*.partial"));
    }

    [Fact]
    public void Gc_fsck_and_du_keep_house()
    {
        world.Commit("a");
        world.Shell("echo more > tree/etc/more").Succeeded();
        world.Commit("b");
        Assert.Contains("all is well: 6 objects", world.Run("fsck").Error);
        Assert.Contains("saved    ", world.Run("du").Succeeded());
        Assert.StartsWith("removed 0 objects, 0 commits, 0 trees: ", world.Run("gc").Succeeded());
        world.Run("refs", "delete", "b").Succeeded();
        Assert.StartsWith("would remove 1 object, 1 commit, ", world.Run("gc", "--dry-run").Succeeded());
        Assert.StartsWith("removed 1 object, 1 commit, ", world.Run("gc").Succeeded());
        Assert.Equal(0, world.Run("fsck").ExitCode);
    }

    [Fact]
    public void Fsck_answers_3_where_it_finds_something()
    {
        world.Commit();
        world.Shell("f=$(find objects/files -type f -size +50k); chmod u+w $f; printf y | dd of=$f bs=1 seek=5000 conv=notrunc 2> /dev/null").Succeeded();
        ToolResult result = world.Run("fsck");
        Assert.Equal(3, result.ExitCode);
        Assert.Matches("^files/[0-9a-f]{2}/[^ ]*: .*its content is not what its name says; needed by debian/test as usr/share/doc/large\n$", result.Output);
    }

    [Fact]
    public void Hash_prints_what_fsverity_prints()
    {
        Tools.Require("fsverity");
        world.Shell("""
            cd tree
            files=(etc/os-release usr/share/doc/large usr/share/empty usr/bin/hello usr/share/bad*)
            cmp <(fsverity digest "${files[@]}") <($H hash "${files[@]}")
            """).Succeeded();
    }

    [Fact]
    public void A_store_is_found_where_it_usually_is()
    {
        world.Commit();
        world.Shell("cd objects && $H refs").Succeeded();
        world.Shell("mkdir away; cd away; HACKTREE_STORE=../objects $H refs; $H --store ../objects refs; $H refs --store=../objects").Succeeded();
    }

    [Theory]
    [InlineData("version")]
    [InlineData("--version")]
    [InlineData("-V")]
    public void Version_is_told(string how) => Assert.Matches(@"^hacktree \d+\.\d+\S* \(store format 1\)\n$", world.Run(how).Succeeded());
}
