using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>checkout --boot: /etc belongs to the root, all else is hardlinks, and there is a place for each mount.</summary>
public sealed class BootCheckoutTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public BootCheckoutTests()
    {
        string source = root.At("source");
        Directory.CreateDirectory($"{source}/etc/below");
        Directory.CreateDirectory($"{source}/usr/etc");
        Directory.CreateDirectory($"{source}/tmp");
        File.WriteAllText($"{source}/etc/hostname", "debian\n");
        File.WriteAllText($"{source}/etc/below/shadow", "secret\n");
        File.WriteAllText($"{source}/usr/etc/default", "default\n");
        File.CreateSymbolicLink($"{source}/etc/link", "hostname");
        Tools.Run("chmod", "600", $"{source}/etc/below/shadow").Succeeded();
        Tools.Run("chmod", "755", $"{source}/tmp").Succeeded();
        Tools.Run("touch", "-d", "2020-01-02", $"{source}/etc/hostname", source).Succeeded();
        root.Ok("commit", "-b", "a", source);
    }

    public void Dispose() => root.Dispose();

    [Fact]
    public void What_is_written_to_etc_stays_in_that_root()
    {
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        root.Ok("checkout", "a", root.At("r1"));
        File.AppendAllText(root.At("r0/etc/hostname"), "more");
        File.AppendAllText(root.At("r0/etc/below/shadow"), "more");
        Assert.Equal("debian\n", File.ReadAllText(root.At("r1/etc/hostname")));
        Assert.Equal("secret\n", File.ReadAllText(root.At("r1/etc/below/shadow")));
        Assert.Equal(Inode("r1/usr/etc/default"), Inode("r0/usr/etc/default"));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void The_tree_is_the_commits_but_for_the_mount_points()
    {
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        root.Ok("checkout", "a", root.At("r1"));
        string[] made = [.. Names("r0").Except(Names("r1"))];
        Assert.Equal(["boot", "dev", "home", "proc", "root", "run", "sys", "sysroot", "var"], made);
        Assert.Equal("700", Tools.Run("stat", "-c", "%a", root.At("r0/root")).Succeeded().Trim());
        foreach (string name in made)
        {
            Directory.Delete(root.At($"r0/{name}"));
        }

        Tools.Run("touch", "-r", root.At("r1"), root.At("r0")).Succeeded();
        Comparison.Same(root.At("r1"), root.At("r0"));
    }

    /// <summary>What somebody may do to such a root, in the shell, in the root's directory.</summary>
    public static readonly TheoryData<string> Touches = new(
        "true",
        "echo own >> etc/hostname; echo more > etc/below/own; mkdir etc/dir; chmod 700 etc; touch -d 2021-02-03 etc",
        "rm -r etc; ln -s usr/etc etc",
        "rm -r etc",
        "mkfifo etc/fifo; mkdir -m 0 etc/closed; setfattr -n user.mark -v x etc",
        "echo x > sysroot/stray; rmdir boot; chmod 700 var; touch stray; mv usr gone; cp -a gone usr");

    [Theory]
    [MemberData(nameof(Touches))]
    public void Turned_into_another_commit_it_is_what_a_checkout_makes_whatever_was_done_to_it(string touch)
    {
        CommitOther();
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        Tools.Run("sh", "-ec", $"cd {root.At("r0")}; {touch}").Succeeded();
        root.Ok("checkout", "--boot", "--from", root.At("r0"), "b", root.At("r1"));
        RequireSame("b", "r1");
        Assert.False(Directory.Exists(root.At("r0")));
        Tools.Run("sh", "-ec", $"cd {root.At("r1")}; {touch}").Succeeded();
        root.Ok("checkout", "--boot", "--from", root.At("r1"), "a", root.At("r1"));
        RequireSame("a", "r1");
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void It_becomes_a_root_of_hardlinks_and_such_a_root_becomes_one_that_boots()
    {
        CommitOther();
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        File.AppendAllText(root.At("r0/etc/hostname"), "more");
        root.Ok("checkout", "--from", root.At("r0"), "b", root.At("r1"));
        root.Ok("checkout", "b", root.At("full"));
        Comparison.Same(root.At("full"), root.At("r1"));
        Assert.Equal(Inode("full/etc/hostname"), Inode("r1/etc/hostname"));
        root.Ok("roots", "rm", root.At("full"));
        Assert.DoesNotContain("\"boot\"", File.ReadAllText(root.At("objects/roots/r1.json")), StringComparison.Ordinal);
        root.Ok("checkout", "--boot", "--from", root.At("r1"), "b", root.At("r0"));
        RequireSame("b", "r0");
    }

    [Theory]
    [InlineData("etc/below/shadow")]
    [InlineData("etc")]
    public void An_etc_that_could_not_be_removed_keeps_it_from_being_turned_into_another(string path)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make a file immutable");
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        Tools.Run("chattr", "+i", root.At($"r0/{path}")).Succeeded();
        string refused = root.Refused("checkout", "--boot", "--from", root.At("r0"), "a", root.At("r1"));
        Tools.Run("chattr", "-i", root.At($"r0/{path}")).Succeeded();
        Assert.Contains($"{root.At($"r0/{path}")}: it is immutable", refused, StringComparison.Ordinal);
        RequireSame("a", "r0");
    }

    [Fact]
    public void Where_no_boot_loader_tells_what_boots_none_is_reused()
    {
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        root.Ok("checkout", "--boot", "a", root.At("r1"));
        root.Ok("checkout", "a", root.At("r2"));
        Assert.Contains("anew", root.Run("checkout", "--reuse", "a", root.At("r3")).Error, StringComparison.Ordinal);
        Assert.Contains("anew", root.Run("checkout", "--boot", "--reuse", "a", root.At("r4")).Error, StringComparison.Ordinal);
        Assert.True(Directory.Exists(root.At("r0")) && Directory.Exists(root.At("r1")));
    }

    private void CommitOther()
    {
        Tools.Run("sh", "-ec", $"cd {root.At("source")}; echo other > etc/hostname; rm etc/link; echo new > etc/below/new; echo x > usr/etc/new; rmdir tmp; mkdir -m 711 sysroot; echo y > sysroot/file").Succeeded();
        root.Ok("commit", "-b", "b", root.At("source"));
    }

    /// <summary>Fails unless the root is what checkout --boot makes of the commit, with files of its own below /etc alone.</summary>
    private void RequireSame(string revision, string name)
    {
        root.Ok("checkout", "--boot", revision, root.At("full"));

        // Each mount point that the commit lacks has the time when it was made.
        string made = string.Join(' ', new[] { "full", name }.Select(each => $"{root.At(each)}/{{boot,dev,home,proc,root,run,sys,sysroot,tmp,var}}"));
        Tools.Run("bash", "-c", $"touch -d @0 {made}").Succeeded();
        Comparison.Same(root.At("full"), root.At(name));
        Assert.Equal(Inode("full/usr/etc/default"), Inode($"{name}/usr/etc/default"));
        Assert.Equal("", Tools.Run("find", root.At($"{name}/etc"), "-type", "f", "-links", "+1").Succeeded());
        Assert.Contains("\"boot\": true", File.ReadAllText(root.At($"objects/roots/{name}.json")), StringComparison.Ordinal);
        root.Ok("roots", "check", root.At(name));
        root.Ok("roots", "rm", root.At("full"));
    }

    private string Inode(string name) => Tools.Run("stat", "-c", "%i", root.At(name)).Succeeded();

    private IEnumerable<string> Names(string name) =>
        Directory.GetFileSystemEntries(root.At(name)).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);
}
