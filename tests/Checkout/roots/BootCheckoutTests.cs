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

    [Fact]
    public void Its_record_says_so_and_it_does_not_become_another_commits()
    {
        root.Ok("checkout", "--boot", "a", root.At("r0"));
        Assert.Contains("\"boot\": true", File.ReadAllText(root.At("objects/roots/r0.json")), StringComparison.Ordinal);
        Assert.Contains("--boot", root.Refused("checkout", "--from", root.At("r0"), "a", root.At("r1")), StringComparison.Ordinal);
        Assert.Contains("anew", root.Run("checkout", "--reuse", "a", root.At("r1")).Error, StringComparison.Ordinal);
        Assert.True(Directory.Exists(root.At("r0")));
    }

    private string Inode(string name) => Tools.Run("stat", "-c", "%i", root.At(name)).Succeeded();

    private IEnumerable<string> Names(string name) =>
        Directory.GetFileSystemEntries(root.At(name)).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);
}
