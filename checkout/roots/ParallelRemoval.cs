using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Removes a root on every core, by the rules of <see cref="TreeRemoval"/>. Directories are work items, and each goes after all directories
/// below it.
/// </summary>
internal static class ParallelRemoval
{
    // Each directory on the way down is open. Directories below this depth are left to TreeRemoval, which can handle any depth.
    private const int MaxDepth = 100;

    // The longest time of a removal after a request to stop. A small tree goes in that time, and no user waits for a large one.
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    /// <summary>Removes <paramref name="name"/> in <paramref name="parent"/>. A missing name is not an error.</summary>
    internal static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject) =>
        Remove(parent, name, subject, CancellationToken.None);

    /// <summary>Removes a name, but only for a moment after a request to stop. False if something is left then.</summary>
    internal static bool TryRemove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject, CancellationToken stop)
    {
        using var moment = new CancellationTokenSource();
        using CancellationTokenRegistration request = stop.Register(() => moment.CancelAfter(Moment));
        try
        {
            Remove(parent, name, subject, moment.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject, CancellationToken stop)
    {
        StoreException? obstacle = null;
        if (Sys.Stat(parent, name, out FileStatus status) != Errno.None || status.Type != FileType.Directory)
        {
            TreeRemoval.Remove(parent, name, subject);
            return;
        }

        var work = new WorkStack<Branch>(stop);
        work.Push(new Branch(null, name.ToArray()));
        work.Run(Environment.ProcessorCount, () =>
        {
            var reader = new DirectoryReader();
            return branch => Process(branch, reader);
        });
        if (obstacle is not null)
        {
            throw obstacle;
        }

        void Process(Branch branch, DirectoryReader reader)
        {
            var directory = new EmptiedDirectory(branch.Parent?.Directory.Handle ?? parent, branch.Name, subject);
            branch.Directory = directory;
            directory.RemoveFiles(reader);
            foreach (byte[] file in directory.Obstacles)
            {
                branch.IsKept = true;
                Keep(directory.Handle, file, branch.Subject(subject, file));
            }

            while (directory.Subdirectories.TryPop(out byte[]? child))
            {
                if (branch.Depth == MaxDepth)
                {
                    TreeRemoval.Remove(directory.Handle, child, subject);
                    continue;
                }

                branch.Expect();
                work.Push(new Branch(branch, child));
            }

            for (Branch? done = branch; done is not null && done.FinishOne(); done = done.Parent)
            {
                Finish(done);
            }
        }

        void Finish(Branch done)
        {
            if (!done.IsKept)
            {
                try
                {
                    done.Directory.Remove();
                    return;
                }
                catch (LinuxException e) when (e.Errno == Errno.EPERM)
                {
                    Keep(done.Parent?.Directory.Handle ?? parent, done.Name, done.Subject(subject, default));
                }
            }

            // The rest of the tree goes all the same.
            done.Directory.Dispose();
            if (done.Parent is { } above)
            {
                above.IsKept = true;
            }
        }

        void Keep(SafeFileHandle directory, ReadOnlySpan<byte> file, string path)
        {
            StoreException why = FixedFile.Find(directory, file, path) ?? new StoreException($"{path}: {LinuxException.Describe(Errno.EPERM)}");
            Interlocked.CompareExchange(ref obstacle, why, null);
        }
    }

    private sealed class Branch(Branch? parent, byte[] name) : TreeDirectory<Branch>(parent, name)
    {
        internal int Depth { get; } = parent is null ? 0 : parent.Depth + 1;

        /// <summary>Whether something in it cannot be removed, so that the directory stays.</summary>
        internal bool IsKept { get; set; }

        internal EmptiedDirectory Directory { get; set; } = null!;
    }
}
