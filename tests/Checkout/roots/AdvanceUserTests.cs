using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// An ordinary user, whom modes restrict, turns a root into another commit. If root runs the tests, these run as nobody too.
/// </summary>
public sealed class AdvanceUserTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public void Dispose()
    {
        RootComparison.MakeRemovable(root.Path);
        root.Dispose();
    }

    [Fact]
    public void An_ordinary_user_can_do_it_too() => ChildRun.AsNobody(typeof(AdvanceUserTests), "022");

    [Fact]
    public void One_tree_becomes_another()
    {
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "a", root.At("source"));
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source"), 2);
        root.Ok("commit", "-b", "b", root.At("source"));
        root.Ok("checkout", "a", root.At("r0"));
        root.Ok("checkout", "--from", root.At("r0"), "b", root.At("r1"));
        RootComparison.RequireSame(root, tree, "b", "r1");
    }

    [Fact]
    public void Directories_that_may_not_be_written_to_are_changed_too()
    {
        string source = root.At("source");
        Directory.CreateDirectory($"{source}/closed/below");
        File.WriteAllText($"{source}/closed/below/file", "1");
        Tools.Run("chmod", "-R", "a-w", source).Succeeded();
        root.Ok("commit", "-b", "a", source);
        Tools.Run("chmod", "-R", "u+w", source).Succeeded();
        File.WriteAllText($"{source}/closed/below/file", "22");
        File.WriteAllText($"{source}/closed/other", "3");
        Tools.Run("chmod", "-R", "a-w", source).Succeeded();
        SortedDictionary<string, string> tree = Snapshot.Of(source);
        root.Ok("commit", "-b", "b", source);
        root.Ok("checkout", "a", root.At("r0"));
        root.Ok("checkout", "--from", root.At("r0"), "b", root.At("r1"));
        RootComparison.RequireSame(root, tree, "b", "r1");
    }
}
