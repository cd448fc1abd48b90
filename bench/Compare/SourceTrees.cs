using System.Globalization;
using HackTree.Bench.Peers;

namespace HackTree.Bench.Compare;

/// <summary>The source tree and its changed copy. All are read once, so that no contestant pays for the disk.</summary>
/// <param name="Tree">The tree that the user named.</param>
/// <param name="Changed">A copy with every 100th regular file rewritten.</param>
/// <param name="Plain">The tree without device nodes, fifos and sockets, which ostree refuses: the tree itself if it has none, otherwise a
/// copy.</param>
/// <param name="PlainChanged">The changed copy without device nodes, fifos and sockets.</param>
/// <param name="ChangedFiles">The number of rewritten files.</param>
internal sealed record SourceTrees(string Tree, string Changed, string Plain, string PlainChanged, long ChangedFiles)
{
    internal const int Step = 100;

    private static readonly string[] SpecialFiles = ["!", "-type", "f", "!", "-type", "d", "!", "-type", "l"];

    internal static SourceTrees Prepare(NativeTools tools, string tree, string scratch)
    {
        string changed = Path.Combine(scratch, "changed");
        _ = Shell.Run("cp", "-a", tree, changed);
        string rewritten = Shell.Run(tools.Floor, "change", changed, Step.ToString(CultureInfo.InvariantCulture));
        long count = long.Parse(rewritten, CultureInfo.InvariantCulture);
        return Read(tools, tree, changed, scratch, count);
    }

    /// <summary>Copies of both trees where every file and directory has extended attributes.</summary>
    internal SourceTrees WithXattrs(NativeTools tools, string scratch)
    {
        string folder = Directory.CreateDirectory(Path.Combine(scratch, "xattrs")).FullName;
        string tree = Path.Combine(folder, "tree"), changed = Path.Combine(folder, "changed");
        foreach ((string source, string copy) in new[] { (Tree, tree), (Changed, changed) })
        {
            _ = Shell.Run("cp", "-a", source, copy);
            XattrLabels.Set(copy);
        }

        // A commit does not remember files that were changed less than two seconds before.
        Thread.Sleep(TimeSpan.FromSeconds(3));
        return Read(tools, tree, changed, folder, ChangedFiles);
    }

    private static SourceTrees Read(NativeTools tools, string tree, string changed, string scratch, long count)
    {
        string plain = WithoutSpecialFiles(tree, Path.Combine(scratch, "plain"));
        string plainChanged = WithoutSpecialFiles(changed, Path.Combine(scratch, "plain-changed"));
        foreach (string each in new HashSet<string> { tree, changed, plain, plainChanged })
        {
            _ = Shell.Run(tools.Floor, "hash", each, Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
        }

        return new SourceTrees(tree, changed, plain, plainChanged, count);
    }

    /// <summary>What contestants work with, except the filesystem, which each gets afresh.</summary>
    internal Arena ArenaFor(string hacktree, NativeTools tools) => new()
    {
        Tree = Tree,
        Changed = Changed,
        Plain = Plain,
        PlainChanged = PlainChanged,
        Place = "",
        HackTree = hacktree,
        Floor = tools.Floor,
        Threads = Environment.ProcessorCount,
    };

    private static string WithoutSpecialFiles(string tree, string copy)
    {
        if (Shell.Run(["find", tree, .. SpecialFiles, "-print", "-quit"]).Length == 0)
        {
            return tree;
        }

        _ = Shell.Run("cp", "-a", tree, copy);
        _ = Shell.Run(["find", copy, .. SpecialFiles, "-delete"]);
        return copy;
    }
}
