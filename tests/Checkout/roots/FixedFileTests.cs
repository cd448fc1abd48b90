using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>Roots in which somebody made a file immutable or append-only: the file's inode is the store's object too.</summary>
public sealed class FixedFileTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public FixedFileTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make a file immutable");
        Tools.Require("chattr");
        Directory.CreateDirectory(root.At("t/etc"));
        File.WriteAllText(root.At("t/etc/resolv.conf"), "x");
        File.WriteAllText(root.At("t/etc/hosts"), "y");
        root.Ok("commit", "-b", "a", root.At("t"));
        File.WriteAllText(root.At("t/etc/resolv.conf"), "changed");
        root.Ok("commit", "-b", "b", root.At("t"));
        root.Ok("checkout", "a", root.At("r1"));
    }

    public void Dispose()
    {
        _ = Tools.Run("chattr", "-R", "-ia", root.Path);
        root.Dispose();
    }

    [Theory]
    [InlineData("i", "immutable")]
    [InlineData("a", "append-only")]
    public void Another_root_has_a_copy_and_a_removal_says_what_is_in_the_way(string attribute, string word)
    {
        Fix(attribute, "r1/etc/resolv.conf");
        Assert.Contains($"{root.At("r2/etc/resolv.conf")} is a copy", root.Run("checkout", "a", root.At("r2")).Error, StringComparison.Ordinal);
        Assert.Equal("x", File.ReadAllText(root.At("r2/etc/resolv.conf")));

        string left = root.At(".r1.partial/etc/resolv.conf");
        string refused = root.Refused("roots", "rm", "r1");
        Assert.Contains($"{left}: it is {word}", refused, StringComparison.Ordinal);
        Assert.Contains($"`chattr -{attribute} {left}`", refused, StringComparison.Ordinal);
        Assert.False(File.Exists(root.At(".r1.partial/etc/hosts")));
        Tools.Run("chattr", $"-{attribute}", left).Succeeded();
        root.AssertCleanAfterGc();
        Assert.False(Directory.Exists(root.At(".r1.partial")));
    }

    [Fact]
    public void Replacing_and_changing_a_root_say_which_file_is_in_the_way()
    {
        Fix("i", "r1/etc/resolv.conf");
        string advance = root.Refused("checkout", "--from", root.At("r1"), "b", root.At("r2"));
        Assert.Contains($"{root.At("r1/etc/resolv.conf")}: it is immutable; {root.At("r1")} is what it was", advance, StringComparison.Ordinal);

        string replace = root.Refused("checkout", "--force", "b", root.At("r1"));
        Assert.Contains($"{root.At("r1")} is made, but what it replaced cannot be removed: {root.At(".r1.partial/etc/resolv.conf")}: it is immutable", replace, StringComparison.Ordinal);
        Assert.Equal("changed", File.ReadAllText(root.At("r1/etc/resolv.conf")));
    }

    [Fact]
    public void A_directory_that_is_immutable_is_named_itself()
    {
        Fix("i", "r1/etc");
        Assert.Contains($"{root.At(".r1.partial/etc")}: it is immutable", root.Refused("roots", "rm", "r1"), StringComparison.Ordinal);
        _ = Tools.Run("chattr", "-R", "-i", root.Path);
        root.AssertCleanAfterGc();
        root.Ok("checkout", "a", root.At("r2"));
        Fix("i", "r2");
        Assert.Contains($"{root.At("r2")}: it is immutable", root.Refused("roots", "rm", "r2"), StringComparison.Ordinal);
        Assert.True(File.Exists(root.At("r2/etc/hosts")));
    }

    private void Fix(string attribute, string path) => Tools.Run("chattr", $"+{attribute}", root.At(path)).Succeeded();
}
