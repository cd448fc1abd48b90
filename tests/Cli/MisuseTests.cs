namespace HackTree.Tests.Cli;

/// <summary>Likely typing errors: the message says what was probably meant, and nothing is done.</summary>
public sealed class MisuseTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("there is no option '--froce', but there is '--force'; see `hacktree checkout --help`", "checkout", "debian/test", "--froce")]
    [InlineData("there is no option '--frm', but there is '--from'", "checkout", "--frm", "x", "debian/test", "r")]
    [InlineData("there is no option '--usr', but there is '--user'; see `hacktree init --help`", "init", "--usr")]
    [InlineData("there is no option '--dry', but there is '--dry-run'", "gc", "--dry")]
    [InlineData("there is no option '--xyz'; a name that begins with '-' goes after '--'", "hash", "tree/etc/passwd", "--xyz=1")]
    [InlineData("--copy takes no value; see `hacktree checkout --help`", "checkout", "debian/test", "r", "--copy=x")]
    [InlineData("there is no option '-Rx'", "ls", "debian/test", "-Rx")]
    [InlineData("there is no option '--quite', but there is '--quiet'", "--quite", "refs")]
    [InlineData("there is no option '-x'; a name that begins with '-' goes after '--'; see `hacktree --help`", "-x")]
    [InlineData("there is no option '--clasic', but there is '--classic'; see `hacktree initrd patch --help`", "initrd", "patch", "--clasic", "a", "b")]
    [InlineData("there is no option '--snapsot', but there is '--snapshot'; see `hacktree image run --help`", "image", "run", "a", "--snapsot")]
    [InlineData("there is no command 'comit', but there is 'commit'", "comit", "--help")]
    [InlineData("there is no command 'comit', but there is 'commit'", "comit", "-b", "x", "tree")]
    [InlineData("there is no command 'roots list'; use `hacktree roots`; see `hacktree roots --help`", "roots", "list")]
    [InlineData("there is no command 'roots list'", "roots", "list", "--help")]
    [InlineData("there is no command 'refs list'", "help", "refs", "list")]
    [InlineData("there is no command 'image crate', but there is 'image create'", "image", "crate")]
    [InlineData("there is no command 'branch'; `hacktree refs` lists refs, `hacktree refs set` makes one; see `hacktree --help`", "branch")]
    [InlineData("there is no command 'import'; use `hacktree commit`", "import", "tree")]
    [InlineData("there is no command 'prune'; use `hacktree gc`", "prune", "--help")]
    [InlineData("REF... REMOTE is missing", "push", "odd")]
    [InlineData("there is no command 'fetch'; use `hacktree pull`", "fetch", "origin")]
    [InlineData("there is no command 'refs rm'; use `hacktree refs delete`", "refs", "rm", "x")]
    [InlineData("there is no command 'batch'; see `hacktree --help`", "batch")]
    [InlineData("there is no command 'xyzzy'; see `hacktree --help`", "xyzzy")]
    [InlineData("there is no option '--json'", "--json", "cat", "debian/test", "etc/passwd")]
    [InlineData("DIR is empty; a variable may not be set; see `hacktree init --help`", "init", "")]
    [InlineData("--readonly is for whole roots of hardlinks", "checkout", "--readonly", "--copy", "debian/test", "r")]
    [InlineData("--kexec starts the new root at once: leave out --stage and --reboot", "deploy", "--kexec", "--reboot", "debian/test")]
    [InlineData("--kexec starts the new root at once", "upgrade", "--stage", "--kexec")]
    [InlineData("DEST is empty", "checkout", "debian/test", "")]
    [InlineData("COMMIT is empty", "checkout", "", "r")]
    [InlineData("ROOT is empty", "roots", "rm", "")]
    [InlineData("ROOT is empty", "roots", "pin", "")]
    [InlineData("TREE is empty", "commit", "-b", "x", "")]
    [InlineData("--store is empty", "--store", "", "refs")]
    [InlineData("--tar is empty", "export", "debian/test", "--tar", "")]
    [InlineData("--boot makes a whole root: leave out --subpath", "checkout", "--boot", "--subpath", "etc", "debian/test", "r")]
    [InlineData("--composefs makes an image: only --boot and --force go with it", "checkout", "--composefs", "--copy", "debian/test", "image")]
    [InlineData("--rw needs a value: --rw PLACE; see `hacktree mount --help`", "mount", "debian/test", "mnt", "--rw")]
    [InlineData("DIR is missing", "mount", "debian/test")]
    [InlineData("DIR is missing", "umount")]
    [InlineData("--from needs a value: --from ROOT; see `hacktree checkout --help`", "checkout", "debian/test", "r", "--from")]
    [InlineData("--init needs a value: --init FILE", "initrd", "patch", "--init")]
    public void What_nobody_means_is_2(string sentence, params string[] arguments)
    {
        world.Commit();
        world.Refuses(2, sentence, arguments);
    }

    [Fact]
    public void What_begins_with_a_dash_can_be_named_after_two()
    {
        world.Commit();
        world.Shell("$H checkout -q debian/test -- --froce && [ -e ./--froce/etc/passwd ] && $H commit -q -b x -s '-y' -m '' tree").Succeeded();
    }
}
