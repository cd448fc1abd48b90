using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>What has a name that HackTree uses beside a root, and was not made by it, is not touched.</summary>
public sealed class ForeignNamesTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public ForeignNamesTests()
    {
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "a", root.At("source"));
    }

    public void Dispose() => root.Dispose();

    [Theory]
    [InlineData("mkdir .r1.partial && echo precious > .r1.partial/keep")]
    [InlineData("mkdir .r1.partial")]
    [InlineData("echo precious > .r1.partial")]
    [InlineData("ln -s source .r1.partial")]
    public void A_partial_name_that_no_record_tells_of_is_refused(string make)
    {
        root.Ok("checkout", "a", root.At("r1"));
        root.Ok("checkout", "a", root.At("r0"));
        Tools.Run("sh", "-c", $"cd {root.Path} && {make}").Succeeded();
        string before = Listing();
        foreach (string[] command in new string[][]
        {
            ["checkout", "--force", "a", root.At("r1")], ["roots", "rm", "r1"], ["checkout", "--from", root.At("r1"), "a", root.At("r1")],
        })
        {
            Assert.Contains(".r1.partial: it is in the way", root.Refused(command), StringComparison.Ordinal);
            root.Ok("gc");
            Assert.Equal(before, Listing());
        }
    }

    [Fact]
    public void What_a_killed_checkout_left_is_removed_unless_somebody_has_put_something_else_there()
    {
        Tools.Require("strace");
        Kill("linkat", 3);
        Assert.True(Directory.Exists(root.At(".r1.partial")));
        root.Ok("checkout", "a", root.At("r1"));
        root.Ok("roots", "rm", "r1");

        Kill("linkat", 3);
        Directory.Move(root.At(".r1.partial"), root.At("moved"));
        Directory.CreateDirectory(root.At(".r1.partial"));
        File.WriteAllText(root.At(".r1.partial/keep"), "precious");
        root.Refused("checkout", "a", root.At("r1"));
        root.Ok("gc");
        Assert.Equal("precious", File.ReadAllText(root.At(".r1.partial/keep")));
    }

    [Theory]
    [InlineData("renameat2", 1)]
    [InlineData("renameat2", 2)]
    [InlineData("renameat2", 3)]
    [InlineData("renameat2", 4)]
    [InlineData("unlinkat", 1)]
    [InlineData("unlinkat", 3)]
    public void What_a_killed_replacement_left_is_known_and_removed(string call, int number)
    {
        Tools.Require("strace");
        root.Ok("checkout", "a", root.At("r1"));
        Kill(call, number, "--force");
        Assert.True(File.Exists(root.At("r1/d0/f0")) || Directory.Exists(root.At("r1")));
        root.AssertCleanAfterGc();
        Assert.False(Directory.Exists(root.At(".r1.partial")));
        root.Ok("checkout", "--force", "a", root.At("r1"));
    }

    [Theory]
    [InlineData("touch .t.consumed/keep")]
    [InlineData("echo precious > .t.consumed/tree")]
    [InlineData("echo precious > .t.consumed/commit")]
    [InlineData("ln -s somewhere .t.consumed/commit")]
    public void A_private_place_of_somebody_else_is_refused(string make)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can have a store in which files become objects");
        Tools.Run("sh", "-c", $"cd {root.Path} && mkdir t && echo 1 > t/a && mkdir -m 700 .t.consumed && {make}").Succeeded();
        string before = Listing();
        Assert.Contains(".t.consumed: it is in the way", root.Refused("commit", "-b", "t", "--consume", root.At("t")), StringComparison.Ordinal);
        Assert.Equal(before, Listing());
    }

    private string Listing() => Tools.Run("sh", "-c", $"cd {root.Path} && find . -path ./objects -prune -o -print | sort; cat .*/keep .*.partial .*/tree 2> /dev/null; true").Output;

    private void Kill(string call, int number, params string[] options) => Tools.Run(
        "strace",
        ["-f", "-o", root.At("trace"), "-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={number}", Hacktree.Path, .. root.Arguments(["checkout", .. options, "a", root.At("r1")])]);
}
