using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Cli;

/// <summary>What cannot be done: one sentence on standard error, the exit code, and nothing half-done.</summary>
public sealed class BadInputTests : IDisposable
{
    private const string LongName = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("a command is missing; see `hacktree --help`")]
    [InlineData("there is no command 'comit'", "comit", "-b", "x", "tree")]
    [InlineData("-b REF is missing; see `hacktree commit --help`", "commit", "tree")]
    [InlineData("give either a directory, TREE, or an archive", "commit", "-b", "x")]
    [InlineData("give either a directory, TREE, or an archive", "commit", "-b", "x", "tree", "--tar", "-")]
    [InlineData("--consume takes a directory", "commit", "-b", "x", "--consume", "--tar", "-")]
    [InlineData("'y' is one word too many; see `hacktree commit --help`", "commit", "-b", "x", "tree", "y")]
    [InlineData("is no annotation", "commit", "-b", "x", "--meta", "novalue", "tree")]
    [InlineData("is no annotation", "commit", "-b", "x", "--meta", "bad key=1", "tree")]
    [InlineData("subject must be one line", "commit", "-b", "x", "-s", "a\nb", "tree")]
    [InlineData("give one of --skip-if-unchanged and --consume", "commit", "-b", "x", "--skip-if-unchanged", "--consume", "tree")]
    [InlineData("DEST is missing; see `hacktree checkout --help`", "checkout", "debian/test")]
    [InlineData("give one of --copy and --reflink", "checkout", "--copy", "--reflink", "debian/test", "r")]
    [InlineData("'x' is no number from 0 up; see `hacktree log --help`", "log", "-n", "x")]
    [InlineData("'-1' is no number from 0 up; see `hacktree gc --help`", "gc", "--depth", "-1")]
    [InlineData("'sometimes' is not one of keep, zero; see `hacktree init --help`", "init", "--mtime", "sometimes", "other")]
    [InlineData("a place was given twice", "--store", "x", "init", "y")]
    [InlineData("'tcsh' is not one of bash, zsh, fish", "completion", "tcsh")]
    [InlineData("give either --tar FILE or --oci IMAGE", "export", "debian/test")]
    [InlineData("-b was given 2 times; give it once", "commit", "-b", "x", "-b", "y", "tree")]
    [InlineData("COMMIT and DEST are missing", "checkout")]
    [InlineData("a command is missing; see `hacktree --help`", "--json")]
    [InlineData("a command is missing; see `hacktree --help`", "-q", "--store", "objects")]
    [InlineData("COMMIT is missing; see `hacktree refs set --help`", "refs", "set", "a")]
    [InlineData("--exclude: 'a[' has a '[' without its ']'", "commit", "-b", "x", "--exclude", "a[", "tree")]
    [InlineData("--exclude is empty", "commit", "-b", "x", "--exclude", "", "tree")]
    [InlineData("--exclude: '/' matches nothing; give a name or a path", "commit", "-b", "x", "--exclude", "/", "tree")]
    [InlineData("--exclude: './' matches nothing; give a name or a path", "commit", "-b", "x", "--exclude", "./", "tree")]
    [InlineData("--exclude-xattr: '/' matches nothing", "commit", "-b", "x", "--exclude-xattr", "/", "tree")]
    [InlineData("--json prints to standard output, so -o must be a file", "delta", "make", "--json", "a", "b", "-o", "-")]
    [InlineData("-o takes a file", "image", "create", "--tree", "tree", "-o", "-")]
    [InlineData("-o takes a file", "image", "convert", "tree/etc/passwd", "-o", "-")]
    public void A_command_line_without_sense_is_2(string sentence, params string[] arguments) => world.Refuses(2, sentence, arguments);

    [Theory]
    [InlineData("there is no store; make one with `hacktree --store", "--store", "tree", "refs")]
    [InlineData("there is no store; make one", "--store", "nowhere", "commit", "-b", "x", "tree")]
    [InlineData("there is a store already", "init")]
    [InlineData("the directory is not empty", "init", "tree")]
    [InlineData("no such file or directory", "init", "no/where")]
    [InlineData("'nothing' is no ref and no commit of", "log", "nothing")]
    [InlineData("'nothing' is no ref and no commit of", "checkout", "nothing", "r")]
    [InlineData("goes further back than there are commits", "show", "debian/test~7")]
    [InlineData("does not name a commit", "show", "debian/test~x")]
    [InlineData("'../x' cannot name a ref", "commit", "-b", "../x", "tree")]
    [InlineData("'debian' cannot be one itself", "commit", "-b", "debian", "tree")]
    [InlineData("'debian/test' is a ref itself", "commit", "-b", "debian/test/x", "tree")]
    [InlineData("there is no ref 'x'", "refs", "delete", "x")]
    [InlineData("there is no log of 'x'", "refs", "log", "x")]
    [InlineData("no such file or directory", "commit", "-b", "x", "nowhere")]
    [InlineData("not a directory; a tree is a directory, and an archive is given with --tar", "commit", "-b", "x", "tree/etc/passwd")]
    [InlineData("no such file or directory", "commit", "-b", "x", "--tar", "nowhere")]
    [InlineData("this is not a tar archive", "commit", "-b", "x", "--tar", "tree/etc/passwd")]
    [InlineData("the store itself is there", "commit", "-b", "x", "--consume", "/")]
    [InlineData("it exists already; choose another name, or replace it with --force", "checkout", "debian/test", "tree")]
    [InlineData("no such directory; make it first", "checkout", "debian/test", "no/where")]
    [InlineData("'no/thing' is not in debian/test", "checkout", "--subpath", "no/thing", "debian/test", "r")]
    [InlineData("the store itself is there", "checkout", "--force", "debian/test", "objects")]
    [InlineData("'etc/x' is not in debian/test; `hacktree ls debian/test` shows what is", "cat", "debian/test", "etc/x")]
    [InlineData("is no file but a directory", "cat", "debian/test", "etc")]
    [InlineData("'abc' is no ref and no commit of", "show", "abc")]
    [InlineData("of an id at least 4 digits are needed", "show", "abc")]
    [InlineData("characters at most, and this one 300", "refs", "set", LongName, "debian/test")]
    [InlineData("'HEAD' cannot name a ref: with git it means", "commit", "-b", "HEAD", "tree")]
    [InlineData("'@' cannot name a ref: with git it means", "refs", "set", "@", "debian/test")]
    [InlineData("'a..b' cannot name a ref: with git two dots mean", "commit", "-b", "a..b", "tree")]
    [InlineData("'debian/test^' cannot name a ref: '^' and '~' stand behind a name", "refs", "set", "debian/test^", "debian/test")]
    [InlineData("'debian/test~1' cannot name a ref: '^' and '~' stand behind a name", "commit", "-b", "debian/test~1", "tree")]
    [InlineData("it looks like a commit's id", "refs", "set", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "debian/test")]
    [InlineData("tree: it is a directory, not an archive", "commit", "-b", "x", "--tar", "tree")]
    [InlineData("tree: it is a directory, and no file", "delta", "apply", "tree", "-b", "x")]
    [InlineData("nothing: no such file", "commit", "-b", "x", "--statoverride", "nothing", "tree")]
    [InlineData("tree/etc/passwd: this is not a tar archive", "commit", "-b", "x", "--tar", "tree/etc/passwd")]
    [InlineData("standard input: ", "commit", "-b", "x", "--tar", "-")]
    [InlineData("/dev/full: no space left", "export", "debian/test", "--tar", "/dev/full")]
    [InlineData("/proc: nothing can be made there", "bench", "--dir", "/proc", "tree")]
    [InlineData("'etc/x' is not in debian/test", "ls", "debian/test", "etc/x")]
    [InlineData("'nothing' is no ref and no commit of", "diff", "debian/test", "nothing")]
    [InlineData("./nothing: no such file or directory", "diff", "debian/test", "./nothing")]
    [InlineData("no such file or directory", "export", "debian/test", "--tar", "no/where")]
    [InlineData("not a regular file", "hash", "tree")]
    [InlineData("aaa: there is no root of that name; `hacktree roots` lists those there are", "roots", "check", LongName)]
    [InlineData("aaa: there is no root of that name", "roots", "rm", LongName)]
    [InlineData("aaa: there is no root of that name", "roots", "pin", LongName)]
    [InlineData("aaa' is no ref and no commit of", "gc", "--explain", LongName)]
    [InlineData("hacktree: nothing: no such file or directory\n", "pull", "--ca", "nothing", "https://127.0.0.1:1/a:b")]
    [InlineData("hacktree: tree: it is a directory, and no file\n", "pull", "--ca", "tree", "https://127.0.0.1:1/a:b")]
    [InlineData("hacktree: tree/etc/passwd: there is no certificate (PEM) in it\n", "pull", "--ca", "tree/etc/passwd", "https://127.0.0.1:1/a:b")]
    [InlineData("hacktree: tree/etc/passwd: there is no certificate (PEM) in it\n", "pull", "--cert", "tree/etc/passwd", "https://127.0.0.1:1/a:b")]
    [InlineData("/nothing: no such file or directory\n", "remote", "add", "--cert", "nothing", "x", "https://127.0.0.1:1/a")]
    public void What_cannot_be_done_is_1(string sentence, params string[] arguments)
    {
        world.Commit();
        world.Refuses(1, sentence, arguments);
    }

    [Fact]
    public void An_ambiguous_prefix_is_refused()
    {
        var ids = new List<string>();
        using (ObjectStore store = ObjectStore.Open(world.At("objects"), stop: TestContext.Current.CancellationToken))
        using (var additions = new Additions(store))
        {
            // Of this many, two begin with the same four digits; which two never changes.
            for (int i = 0; i < 1000; i++)
            {
                var commit = new Commit { Tree = Tree.DigestOf(Tree.Empty.Bytes), RootMetadata = default, Time = i, Files = 0, ContentBytes = 0 };
                ids.Add(additions.Pack.Add(commit).ToString());
            }

            additions.Publish();
        }

        string prefix = ids.GroupBy(id => id[..4]).First(group => group.Count() > 1).Key;
        world.Refuses(1, $"'{prefix}' could mean several commits", ["show", prefix]);
    }

    [Fact]
    public void A_text_that_is_not_UTF8_is_refused()
    {
        string before = world.Listing();
        ToolResult result = world.Shell("""$H commit -b x -m $'\xff' tree""");
        Assert.Equal((2, "hacktree: the subject must be one line of UTF-8 text; put more into -m\n", before), (result.ExitCode, result.Error, world.Listing()));
    }

    [Fact]
    public void A_store_of_a_newer_format_is_refused()
    {
        world.Shell("""sed -i 's/"hacktree": 1/"hacktree": 9/' objects/format""").Succeeded();
        world.Refuses(1, "was made by a newer hacktree (format 9", ["refs"]);
    }

    [Fact]
    public void Another_filesystem_is_refused_and_copy_offered()
    {
        Assert.SkipUnless(Directory.Exists("/dev/shm"), "no /dev/shm");
        world.Commit();
        string place = $"/dev/shm/hacktree-{Guid.NewGuid():N}";
        world.Refuses(1, "hardlinks need one filesystem", ["checkout", "debian/test", place]);
        Assert.False(Path.Exists(place));
        world.Shell($"$H checkout --copy debian/test {place} && diff -r --no-dereference -x pipe tree {place} && rm -r {place}").Succeeded();
    }

    [Fact]
    public void A_file_that_changes_while_it_is_read_is_refused()
    {
        ToolResult result = world.Shell("""
            head -c 50000000 /dev/zero > tree/grows
            touch go; (while [ -e go ]; do echo x >> tree/grows; done) &
            while [ $(stat -c %s tree/grows) = 50000000 ]; do :; done
            $H commit -b a tree; code=$?
            rm go; wait; exit $code
            """);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("hacktree: tree/grows: it changed while it was read; commit a tree that nobody writes to\n", result.Error);
        Assert.Empty(world.Run("refs").Succeeded());
    }

    [Fact]
    public void An_unreadable_file_is_named()
    {
        // Root can read everything: it runs the program as somebody else.
        string asUser = Sys.IsRoot ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "";
        ToolResult result = world.Shell($"""
            mkdir -p mine; cp $H mine/hacktree; chmod 755 . mine; chmod 777 mine; rm -rf objects; mv tree mine/tree; chmod 000 mine/tree/etc/os-release
            cd mine; {asUser} ./hacktree init --user > /dev/null
            find objects -printf '%P %s %i\n' | sort > ../before
            {asUser} ./hacktree commit -b a --exclude passwd tree; code=$?
            find objects -printf '%P %s %i\n' | grep -vE '^(files/../.|cache)' | sort | diff <(grep -vE '^(files/../.|cache)' ../before) - || code=99
            exit $code
            """);
        Assert.Equal((1, "hacktree: tree/etc/os-release: permission denied\n"), (result.ExitCode, result.Error));
    }

    [Fact]
    public void A_full_disk_is_said_with_advice()
    {
        string unshare = Sys.IsRoot ? "unshare -m" : "unshare -rm";
        Assert.SkipUnless(world.Shell($"mkdir small; {unshare} mount -t tmpfs -o size=3m none small").ExitCode == 0, "may not mount a filesystem");
        ToolResult result = world.Shell($$"""
            head -c 9000000 /dev/urandom > tree/big
            exec {{unshare}} bash -c 'mount -t tmpfs -o size=3m none small && cd small && $H init > /dev/null && $H commit -b a ../tree; code=$?; $H -q fsck && $H gc > /dev/null && exit $code'
            """);
        Assert.Equal(1, result.ExitCode);
        Assert.Matches("^hacktree: .*: no space left on the filesystem; free some and run `hacktree gc`\n$", result.Error);
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("/x")]
    [InlineData("a/../../x")]
    public void A_tar_that_leads_out_is_refused(string name)
    {
        Tools.Require("python3");
        world.Shell($"""
            python3 - <<'END'
            import tarfile, io
            with tarfile.open("evil.tar", "w") as tar:
                entry = tarfile.TarInfo("{name}"); entry.size = 3
                tar.addfile(entry, io.BytesIO(b"abc"))
            END
            """).Succeeded();
        string before = world.Listing();
        ToolResult result = world.Run("commit", "-b", "evil", "--tar", "evil.tar");
        Assert.Equal((1, before), (result.ExitCode, world.Listing()));
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.Contains(name, result.Error);
        Assert.False(Path.Exists(world.At("x")) || Path.Exists("/x"));
    }

    [Fact]
    public void A_user_may_not_write_to_roots_store()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can become somebody else");
        world.Commit();
        world.Shell($"cp {Repository.Program} hacktree; chmod 755 . hacktree").Succeeded();
        string before = world.Listing();
        ToolResult result = world.Shell("setpriv --reuid=65534 --regid=65534 --clear-groups ./hacktree commit -b x tree");
        Assert.Contains("only root can write to it; run as root", result.Error);
        Assert.Equal((1, before), (result.ExitCode, world.Listing()));
        foreach (string verb in (string[])["gc --dry-run", "du", "fsck", "cat debian/test etc/passwd", "export debian/test --tar -"])
        {
            ToolResult refused = world.Shell($"setpriv --reuid=65534 --regid=65534 --clear-groups ./hacktree {verb}");
            Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
            Assert.Equal($"hacktree: {world.At("objects")}: only root can read the files in this store; run as root\n", refused.Error);
        }

        Assert.Equal("etc\nusr\n", world.Shell("setpriv --reuid=65534 --regid=65534 --clear-groups ./hacktree ls debian/test").Succeeded());
        Assert.Equal(3, world.Shell("chmod 644 tree/etc/passwd; setpriv --reuid=65534 --regid=65534 --clear-groups ./hacktree diff debian/test tree").ExitCode);
    }
}
