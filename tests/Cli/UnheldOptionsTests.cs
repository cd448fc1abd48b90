using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>What a commit refuses because no checkout could restore it, as a user sees it.</summary>
public sealed class UnheldOptionsTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void An_archives_entry_is_named_with_the_archive_and_the_options_that_help()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root has a store that keeps all attributes");
        Tools.Require("python3");
        world.Shell("""
            python3 - <<'P'
            import tarfile, io
            t = tarfile.open('a.tar', 'w', format=tarfile.PAX_FORMAT)
            i = tarfile.TarInfo('opt/thing'); i.pax_headers = {'LIBARCHIVE.xattr.com.apple.quarantine': 'YWJj'}; i.mtime = 16725225600
            t.addfile(i, io.BytesIO(b'')); t.close()
            P
            """).Succeeded();
        world.Refuses(
            1,
            "hacktree: a.tar: opt/thing: this filesystem cannot hold its attribute com.apple.quarantine (at byte 1024 of the archive); "
                + "leave it out with --exclude-xattr com.apple.quarantine, or all attributes with --no-xattrs",
            ["commit", "-b", "a", "--tar", "a.tar"]);
        world.Run("commit", "-b", "a", "--clamp-times", "--exclude-xattr", "com.apple.*", "--tar", "a.tar").Succeeded();
        world.Run("commit", "-b", "b", "--clamp-times", "--no-xattrs", "--tar", "a.tar").Succeeded();
        world.Run("checkout", "a", "r").Succeeded();
        world.Run("diff", "a", "./r").Succeeded();
        world.Run("fsck").Succeeded();
    }

    [Fact]
    public void An_owner_that_the_user_namespace_lacks_is_named_with_the_entry()
    {
        Assert.SkipUnless(Sys.IsRoot && Tools.Run("unshare", "-U", "-r", "true").ExitCode == 0, "user namespaces cannot be made here");
        world.Shell("mkdir -p own/d other/d; echo x > own/f; chown 70000:70000 own/d; chmod -R a+rX own; tar -cf d.tar -C own d; chown 70000:70000 own/f; tar -cf f.tar -C own f").Succeeded();
        foreach (string name in new[] { "d", "f" })
        {
            ToolResult result = world.Shell($"unshare -U -r $H --store ns-{name} init && unshare -U -r $H --store ns-{name} commit -b a --tar {name}.tar");
            Assert.Equal(1, result.ExitCode);
            Assert.True(CliWorld.IsOneSentence(result), result.Error);
            Assert.Contains($"{name}.tar: {name}", result.Error);
            Assert.Contains("its owner, 70000:70000, is not in the user namespace of this process", result.Error);
            Assert.Contains("hacktree init --user", result.Error);
            world.Shell($"unshare -U -r $H --store ns-{name} fsck").Succeeded();
        }
    }

    [Fact]
    public void A_set_id_bit_that_is_lost_for_want_of_a_capability_is_refused()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can drop a capability");
        Tools.Require("setpriv");
        const string Unable = "setpriv --bounding-set=-fsetid --inh-caps=-fsetid";
        world.Shell("mkdir -p set/f set/d; echo x > set/f/file; chown 0:5 set/f/file; chmod 2755 set/f/file; mkdir set/d/dir; chown 0:5 set/d/dir; chmod 2755 set/d/dir").Succeeded();
        foreach ((string tree, string entry) in new[] { ("set/f", "file"), ("set/d", "dir") })
        {
            ToolResult result = world.Shell($"{Unable} $H commit -b a {tree}");
            Assert.Equal(1, result.ExitCode);
            Assert.Contains($"{tree}/{entry}: its set-id bit is lost", result.Error);
            world.Run("fsck").Succeeded();
            world.Run("commit", "-b", "a", tree).Succeeded();
        }
    }

    [Fact]
    public void A_consumed_tree_keeps_the_attributes_left_out_away_from_the_store()
    {
        Assert.SkipUnless(Sys.IsRoot, "in a user's store files are copied anyway");
        world.Shell("setfattr -n user.note -v x tree/etc/passwd; setfattr -n user.note -v x tree/usr").Succeeded();
        world.Run("commit", "-b", "a", "--consume", "--no-xattrs", "tree").Succeeded();
        Assert.False(Directory.Exists(world.At("tree")));
        world.Run("fsck").Succeeded();
        world.Run("checkout", "a", "r").Succeeded();
        world.Run("diff", "a", "./r").Succeeded();
        Assert.Empty(world.Shell("getfattr -R -m - r").Succeeded());
    }

    [Theory]
    [InlineData(null, "ignore")]
    [InlineData("ignore", "ignore")]
    [InlineData("keep", "keep")]
    public void Init_records_what_becomes_of_the_machines_attributes(string? given, string policy)
    {
        string user = Sys.IsRoot ? "" : "--user";
        world.Shell($"$H init {user} {(given is null ? "" : $"--machine-xattrs {given}")} s").Succeeded();
        Assert.Equal(policy == "ignore", File.ReadAllText(world.At("s/format")).Contains("machine-xattrs-ignored", StringComparison.Ordinal));
    }
}
