using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>A tree that is whole and has no root's name yet.</summary>
/// <param name="Top">Its open directory.</param>
/// <param name="Subject">The path that the root will have, for messages.</param>
internal readonly record struct WholeTree(SafeFileHandle Top, string Subject);

/// <summary>
/// What is done to a whole tree before it gets its root's name: steps, one after the other. The tree is private until then, and a crash
/// leaves it as litter. The top keeps its modification time. What a step writes is synced before the name is given.
/// </summary>
internal sealed class RootFinish
{
    private readonly Step[] steps;

    internal RootFinish(params Step[] steps) => this.steps = steps;

    /// <summary>One thing that is done to the tree. Throws where it cannot be done; the tree is removed then.</summary>
    internal delegate void Step(in WholeTree tree);

    /// <summary>Nothing: the root is the commit's tree.</summary>
    internal static RootFinish None { get; } = new();

    /// <summary>What a root needs to be booted with / read-only.</summary>
    internal static RootFinish ForBoot { get; } = new(MountPoints.Make);

    internal bool HasSteps => steps.Length > 0;

    /// <summary>Does the steps to the tree <paramref name="name"/> in <paramref name="parent"/>.</summary>
    /// <param name="parent">The directory that the tree stands in.</param>
    /// <param name="name">The name that the tree has now.</param>
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
            var tree = new WholeTree(top, subject);
            foreach (Step step in steps)
            {
                step(tree);
            }

            Sys.SetTime(top, modifyTime).ThrowIfFailed("futimens", subject);
        }
    }
}
