using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// The floor of a checkout: the same mkdirat, linkat, symlinkat and mknodat calls, from the same objects and on as many threads. It reads no
/// packs, sets no metadata, writes no record and renames nothing. Its result is not a root.
/// </summary>
internal sealed class BareCheckout : IDisposable
{

    private readonly SafeFileHandle[] fanOut = new SafeFileHandle[256];
    private readonly Node top;

    /// <summary>Reads the whole commit into memory, and opens the directories to link from.</summary>
    internal BareCheckout(ObjectStore store, Digest commit)
    {
        for (int i = 0; i < fanOut.Length; i++)
        {
            byte[] path = ByteText.FromArgument(Path.Combine(store.Path, "files", $"{i:x2}"));
            _ = Sys.Open(Sys.WorkingDirectory, path, OpenFlags.Path | OpenFlags.Directory, out fanOut[i]);
        }

        top = new Node([], null);
        var rest = new Stack<(Node Node, Digest Tree)>();
        rest.Push((top, store.Packs.ReadCommit(commit).Tree));
        while (rest.TryPop(out (Node Node, Digest Tree) next))
        {
            foreach (TreeEntry entry in store.Packs.ReadTree(next.Tree))
            {
                if (entry.IsDirectory)
                {
                    var below = new Node(entry.Name.ToArray(), next.Node);
                    next.Node.Directories.Add(below);
                    rest.Push((below, entry.Digest));
                }
                else
                {
                    next.Node.Leaves.Add(Leaf.Of(store, entry));
                }
            }
        }
    }

    /// <summary>Makes the files at <paramref name="path"/> and syncs the filesystem. Returns the time that took.</summary>
    internal TimeSpan Run(string path)
    {
        top.Name = ByteText.FromArgument(path);
        string above = Path.GetDirectoryName(path)!;
        using SafeFileHandle place = OpenPath.Directory(above);
        var work = new WorkStack<Node>(CancellationToken.None);
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        work.Push(top);
        work.Run(Environment.ProcessorCount, () => node => Make(node, work, path));
        Sys.SyncFilesystem(place).ThrowIfFailed("syncfs", above);
        return System.Diagnostics.Stopwatch.GetElapsedTime(started);
    }

    public void Dispose()
    {
        foreach (SafeFileHandle directory in fanOut)
        {
            directory.Dispose();
        }
    }

    private void Make(Node node, WorkStack<Node> work, string subject)
    {
        SafeFileHandle above = node.Parent?.Handle ?? Sys.WorkingDirectory;
        Sys.MakeDirectory(above, node.Name, FileModes.OwnerOnly).ThrowIfFailed("mkdirat", subject);
        Sys.Open(above, node.Name, OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle handle).ThrowIfFailed("openat", subject);
        node.Hold(handle);
        node.Parent?.Release();
        foreach (Leaf leaf in node.Leaves)
        {
            Errno errno = leaf.Make(fanOut, handle);

            // EMLINK: the inode has the largest number of names. A checkout then makes another inode, which is not part of this floor.
            if (errno != Errno.EMLINK)
            {
                errno.ThrowIfFailed("linkat", subject);
            }
        }

        foreach (Node below in node.Directories)
        {
            work.Push(below);
        }

        node.Release();
    }

    /// <summary>A directory. It stays open until all directories in it are made.</summary>
    private sealed class Node(byte[] name, Node? parent)
    {
        private int users;

        public byte[] Name { get; set; } = name;

        public Node? Parent { get; } = parent;

        public List<Node> Directories { get; } = [];

        public List<Leaf> Leaves { get; } = [];

        public SafeFileHandle? Handle { get; private set; }

        public void Hold(SafeFileHandle handle)
        {
            Handle = handle;
            users = Directories.Count + 1;
        }

        public void Release()
        {
            if (Interlocked.Decrement(ref users) == 0)
            {
                Handle!.Dispose();
            }
        }
    }

    /// <summary>A name that is not a directory. Text is an object's name in its fan-out directory, or a symbolic link's target.</summary>
    private sealed record Leaf(EntryKind Kind, byte[] Name, byte FanOut, byte[] Text, uint Major, uint Minor)
    {
        public static Leaf Of(ObjectStore store, in TreeEntry entry)
        {
            if (entry.Kind != EntryKind.Regular)
            {
                return new Leaf(entry.Kind, entry.Name.ToArray(), 0, entry.Target.ToArray(), entry.DeviceMajor, entry.DeviceMinor);
            }

            ObjectName name = store.Blobs.NameOf(entry);
            Span<byte> text = stackalloc byte[ObjectName.MaxLength];
            return new Leaf(entry.Kind, entry.Name.ToArray(), name.Fanout, text[ObjectName.FanoutLength..name.Format(text)].ToArray(), 0, 0);
        }

        public Errno Make(SafeFileHandle[] fanOut, SafeFileHandle directory) => Kind switch
        {
            EntryKind.Regular => Sys.Link(fanOut[FanOut], Text, directory, Name),
            EntryKind.Symlink => Sys.Symlink(Text, directory, Name),
            EntryKind.Fifo => Sys.MakeNode(directory, Name, FileType.Fifo, FileModes.OwnerOnly, 0, 0),

            // A checkout by an ordinary user leaves device nodes out too.
            _ when !Sys.IsRoot => Errno.None,
            EntryKind.CharacterDevice => Sys.MakeNode(directory, Name, FileType.CharacterDevice, FileModes.OwnerOnly, Major, Minor),
            _ => Sys.MakeNode(directory, Name, FileType.BlockDevice, FileModes.OwnerOnly, Major, Minor),
        };
    }
}
