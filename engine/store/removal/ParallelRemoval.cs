using System.Collections.Concurrent;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Removes a tree on every core, by the rules of <see cref="TreeRemoval"/>. Directories are work items, and each goes after all directories
/// below it.
/// </summary>
public static class ParallelRemoval
{
    // Each directory on the way down is open. Directories below this depth are left to TreeRemoval, which can handle any depth.
    private const int MaxDepth = 100;

    // The longest time of a removal after a request to stop. A small tree goes in that time, and no user waits for a large one.
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    /// <summary>
    /// Removes <paramref name="name"/> in <paramref name="parent"/>. A missing name is not an error. Throws <see cref="LinuxException"/> for the
    /// first thing that stays, when everything else is gone.
    /// </summary>
    public static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject)
    {
        LinuxException? first = null;
        Remove(parent, name, subject, e => Interlocked.CompareExchange(ref first, e, null), CancellationToken.None);
        if (first is not null)
        {
            throw first;
        }
    }

    /// <summary>
    /// Removes a name as <see cref="Remove(SafeFileHandle, ReadOnlySpan{byte}, string)"/> does, but only for a moment after a request to stop.
    /// False if something is left then.
    /// </summary>
    public static bool TryRemove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject, CancellationToken stop)
    {
        LinuxException? first = null;
        bool isWhole = TryRemove(parent, name, subject, e => Interlocked.CompareExchange(ref first, e, null), stop);
        return first is null ? isWhole : throw first;
    }

    /// <summary>
    /// Removes a name, but only for a moment after a request to stop. False if something is left then. <paramref name="onRest"/> is called, by
    /// any thread, for each thing that cannot be removed.
    /// </summary>
    internal static bool TryRemove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject, Action<LinuxException> onRest, CancellationToken stop)
    {
        using var moment = new CancellationTokenSource();
        using CancellationTokenRegistration request = stop.Register(() => moment.CancelAfter(Moment));
        try
        {
            Remove(parent, name, subject, onRest, moment.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject, Action<LinuxException> onRest, CancellationToken stop)
    {
        if (Sys.Stat(parent, name, out FileStatus status) != Errno.None || status.Type != FileType.Directory)
        {
            TreeRemoval.Remove(parent, name, subject, onRest);
            return;
        }

        var work = new WorkStack<Branch>(stop);
        var open = new ConcurrentDictionary<Branch, byte>();
        work.Push(new Branch(null, name.ToArray()));
        try
        {
            work.Run(Environment.ProcessorCount, () =>
            {
                var reader = new DirectoryReader();
                return branch => Process(branch, reader);
            });
        }
        finally
        {
            // After a failure or a request to stop, directories are still open.
            foreach (Branch branch in open.Keys)
            {
                branch.Directory?.Dispose();
            }
        }

        void Process(Branch branch, DirectoryReader reader)
        {
            if (TryOpen(branch) is { } directory)
            {
                branch.Directory = directory;
                open.TryAdd(branch, 0);
                directory.RemoveFiles(reader);
                while (directory.Subdirectories.TryPop(out byte[]? child))
                {
                    if (branch.Depth == MaxDepth)
                    {
                        if (directory.TryEnter(child) is { } deep)
                        {
                            TreeRemoval.Empty(deep, reader);
                        }

                        continue;
                    }

                    branch.Expect();
                    work.Push(new Branch(branch, child));
                }
            }

            for (Branch? done = branch; done is not null && done.FinishOne(); done = done.Parent)
            {
                done.Directory?.Remove();
                open.TryRemove(done, out _);
            }
        }

        EmptiedDirectory? TryOpen(Branch branch)
        {
            if (branch.Parent is { } above)
            {
                return above.Directory!.TryEnter(branch.Name);
            }

            try
            {
                return new EmptiedDirectory(parent, branch.Name, subject, above: null, onRest);
            }
            catch (LinuxException e) when (EmptiedDirectory.IsOfOneThing(e))
            {
                onRest(e);
                return null;
            }
        }
    }

    private sealed class Branch(Branch? parent, byte[] name) : TreeDirectory<Branch>(parent, name)
    {
        internal int Depth { get; } = parent is null ? 0 : parent.Depth + 1;

        internal EmptiedDirectory? Directory { get; set; }
    }
}
