using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Takes away a directory that was committed with --consume, once the commit is durable: exactly what the commit holds.
/// What is not in it, or has changed since, stays, and with it the directories above.
/// </summary>
public static class TreeConsume
{
    /// <summary>Removes what <paramref name="tree"/> holds from <paramref name="path"/>; answers the number of names that stayed.</summary>
    public static long Run(ObjectStore store, ImportResult tree, string path)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle top)
            .ThrowIfFailed("openat", path);
        long kept = 0;
        var levels = new Stack<Level>();
        levels.Push(new Level(top, [], new TreeCursor(store.Packs.ReadTree(tree.Tree))));
        try
        {
            while (levels.TryPeek(out Level? level))
            {
                if (!level.Next(out TreeEntry entry))
                {
                    levels.Pop();
                    level.Directory.Dispose();
                    bool isTop = !levels.TryPeek(out Level? above);
                    Errno removed = isTop ? RemoveTop(path) : Sys.RemoveDirectory(above!.Directory, level.Name);
                    kept += removed == Errno.None ? 0 : 1;
                }
                else if (!entry.IsDirectory)
                {
                    kept += RemoveUnchanged(level.Directory, entry, store.Format.KeepTimes, tree.Started) ? 0 : 1;
                }
                else if (Sys.Open(level.Directory, entry.Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle child) == Errno.None)
                {
                    levels.Push(new Level(child, entry.Name.ToArray(), new TreeCursor(store.Packs.ReadTree(entry.Digest))));
                }
                else
                {
                    kept++;
                }
            }
        }
        finally
        {
            foreach (Level level in levels)
            {
                level.Directory.Dispose();
            }
        }

        return kept;
    }

    private static Errno RemoveTop(string path) => Sys.RemoveDirectory(Sys.WorkingDirectory, ByteText.FromArgument(path));

    /// <summary>
    /// A file rewritten while or after it was read has a later time than <paramref name="started"/>; one dated into the
    /// future can only be compared with its record, to the second.
    /// </summary>
    private static bool RemoveUnchanged(SafeFileHandle directory, in TreeEntry entry, bool compareTimes, FileTime started)
    {
        bool isSame = Sys.Stat(directory, entry.Name, out FileStatus status) == Errno.None
            && status.Type == TreeMaker.TypeOf(entry.Kind)
            && (entry.Kind != EntryKind.Regular || status.Size == entry.Size)
            && (!compareTimes || status.ModifyTime.Seconds == entry.Metadata.ModifyTime)
            && (status.ModifyTime < started || (compareTimes && entry.Metadata.ModifyTime > started.Seconds));
        return isSame && Sys.Unlink(directory, entry.Name) == Errno.None;
    }

    private sealed class Level(SafeFileHandle directory, byte[] name, TreeCursor start)
    {
        private TreeCursor cursor = start;

        public SafeFileHandle Directory => directory;

        public byte[] Name => name;

        public bool Next(out TreeEntry entry) => cursor.Next(out entry);
    }
}
