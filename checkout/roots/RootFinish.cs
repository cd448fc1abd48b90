using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>A whole tree that does not have the root's own name yet.</summary>
/// <param name="Top">Its open directory.</param>
/// <param name="Subject">The path that the root will have, for messages.</param>
internal readonly record struct WholeTree(SafeFileHandle Top, string Subject);

/// <summary>
/// The steps that complete a whole tree before it gets the root's own name. The tree is private until then, and after a crash it is litter. The
/// top keeps its modification time. Everything that a step writes is synced before the tree gets its name.
/// </summary>
internal sealed class RootFinish
{
    private readonly Step[] steps;

    internal RootFinish(params Step[] steps) => this.steps = steps;

    /// <summary>One step. Throws if it is impossible; then the tree is removed.</summary>
    internal delegate void Step(in WholeTree tree);

    /// <summary>No steps: the root is the commit's tree.</summary>
    internal static RootFinish None { get; } = new();

    /// <summary>The steps for a root that is booted with / read-only.</summary>
    private static RootFinish ForBoot { get; } = new(MountPoints.Make);

    /// <summary>The steps for a root that is an image of a commit.</summary>
    internal static RootFinish ForImage(ObjectStore store, Digest commit) => new((in WholeTree tree) => RootImage.Make(store, commit, tree));

    /// <summary>These steps, and one that gives the tree an initrd (<see cref="BootFolder"/>), unless that is null.</summary>
    internal RootFinish WithInitrd(string? path) => path is null ? this : new([.. steps, (in WholeTree tree) => BootFolder.PutInitrd(tree, path)]);

    internal bool HasSteps => steps.Length > 0;

    /// <summary>The steps for a root that will be booted, or for one that will not.</summary>
    internal static RootFinish For(bool isBooted) => isBooted ? ForBoot : None;

    /// <summary>Applies the steps to the tree <paramref name="name"/> in <paramref name="parent"/>.</summary>
    /// <param name="parent">The directory above the tree.</param>
    /// <param name="name">The present name of the tree.</param>
    /// <param name="modifyTime">The modification time of the tree's top, in seconds since 1970.</param>
    /// <param name="subject">The path that the root will have, for messages.</param>
    internal void Run(SafeFileHandle parent, ReadOnlySpan<byte> name, long modifyTime, string subject)
    {
        if (!HasSteps)
        {
            return;
        }

        Errno opened = Sys.Open(parent, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        opened.ThrowIfFailed("openat", subject);
        using (top)
        {
            Run(new WholeTree(top, subject), modifyTime);
        }
    }

    /// <summary>Applies the steps to an open tree, and gives its top the modification time.</summary>
    internal void Run(in WholeTree tree, long modifyTime)
    {
        foreach (Step step in steps)
        {
            step(tree);
        }

        Sys.SetTime(tree.Top, modifyTime).ThrowIfFailed("futimens", tree.Subject);
    }
}
