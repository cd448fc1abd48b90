using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Measures the space on disk that goes with a directory tree, such as a root: its directories, and the files that have no name elsewhere. Those are
/// private copies, files that were written after the checkout, and files of which all names are in the tree. Each name costs one statx. What is
/// mounted in the tree is left out.
/// </summary>
public sealed class OwnDisk
{
    private readonly WorkStack<MeasuredDirectory> work;
    private readonly string top;
    private readonly Dictionary<ulong, (uint Missing, long Bytes)> linked = [];
    private readonly Lock gate = new();
    private long bytes;

    private OwnDisk(string top, CancellationToken stop) => (this.top, work) = (top, new WorkStack<MeasuredDirectory>(stop));

    /// <summary>Measures the tree at that path. 0 if there is none.</summary>
    public static long Measure(string path, CancellationToken stop)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), flags, out SafeFileHandle handle);
        if (errno == Errno.ENOENT)
        {
            return 0;
        }

        errno.ThrowIfFailed("openat", path);
        Sys.Stat(handle, out FileStatus status).ThrowIfFailed("statx", path);
        var own = new OwnDisk(path, stop) { bytes = status.AllocatedBytes };
        own.work.Push(new MeasuredDirectory(null, []) { Handle = handle });
        own.work.RunReaders(() => new Worker(own).Process);
        return own.bytes;
    }

    private void Add(long found, List<FileStatus> several)
    {
        lock (gate)
        {
            bytes += found;
            foreach (FileStatus status in several)
            {
                // Objects have a name in the store, so theirs are never complete.
                uint missing = linked.TryGetValue(status.Inode, out (uint Missing, long Bytes) known) ? known.Missing - 1 : status.LinkCount - 1;
                linked[status.Inode] = (missing, status.AllocatedBytes);
                bytes += missing == 0 ? status.AllocatedBytes : 0;
            }
        }
    }

    /// <summary>A directory, which stays open until every directory below it is done.</summary>
    private sealed class MeasuredDirectory(MeasuredDirectory? parent, byte[] name) : TreeDirectory<MeasuredDirectory>(parent, name)
    {
        internal SafeFileHandle? Handle { get; set; }
    }

    /// <summary>The state of one thread.</summary>
    private sealed class Worker(OwnDisk own)
    {
        private readonly DirectoryReader reader = new();
        private readonly List<FileStatus> several = [];

        internal void Process(MeasuredDirectory directory)
        {
            if (directory.Handle is not null || TryOpen(directory))
            {
                Measure(directory);
            }

            for (MeasuredDirectory? done = directory; done is not null && done.FinishOne(); done = done.Parent)
            {
                done.Handle?.Dispose();
            }
        }

        /// <summary>Opens a directory; false if it has gone meanwhile.</summary>
        private bool TryOpen(MeasuredDirectory directory)
        {
            const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
            Errno errno = Sys.Open(directory.Parent!.Handle!, directory.Name, flags, out SafeFileHandle handle);
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
            {
                return false;
            }

            errno.ThrowIfFailed("openat", directory.Subject(own.top, default));
            directory.Handle = handle;
            return true;
        }

        private void Measure(MeasuredDirectory directory)
        {
            long found = 0;
            several.Clear();
            reader.Start(directory.Handle!, own.top);
            while (reader.Next())
            {
                // A file that has just gone takes no space.
                if (Sys.Stat(directory.Handle!, reader.Name, out FileStatus status) != Errno.None || status.IsMountRoot)
                {
                    continue;
                }

                if (status.Type == FileType.Directory)
                {
                    found += status.AllocatedBytes;
                    directory.Expect();
                    own.work.Push(new MeasuredDirectory(directory, reader.Name.ToArray()));
                }
                else if (status.LinkCount == 1)
                {
                    found += status.AllocatedBytes;
                }
                else
                {
                    several.Add(status);
                }
            }

            own.Add(found, several);
        }
    }
}
