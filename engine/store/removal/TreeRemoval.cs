using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Removes a whole tree by descriptors. It builds no path, follows no symbolic link and enters no mount, and the tree may have any depth.
/// </summary>
public static class TreeRemoval
{
    // Each level holds a descriptor. Directories below this level are moved to the top first, so that a deep tree does not use up
    // descriptors.
    private const int MaxLevels = 200;

    /// <summary>
    /// Removes <paramref name="name"/> in <paramref name="parent"/>: a file, or a directory with everything below it. A missing name is not
    /// an error. A directory without permissions for its owner gets them first. What cannot be removed, such as an immutable file or a mount,
    /// stays with the directories above it, and everything else goes. Then throws <see cref="LinuxException"/> for the first such thing.
    /// </summary>
    public static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject)
    {
        LinuxException? first = null;
        Remove(parent, name, subject, e => first ??= e);
        if (first is not null)
        {
            throw first;
        }
    }

    /// <summary>Removes a tree. <paramref name="onRest"/> is called for each thing that stays.</summary>
    internal static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject, Action<LinuxException> onRest)
    {
        Errno errno = Sys.Unlink(parent, name);
        if (errno is Errno.None or Errno.ENOENT)
        {
            return;
        }

        if (!EmptiedDirectory.IsDirectory(errno, parent, name))
        {
            onRest(new LinuxException(errno, "unlinkat", subject));
            return;
        }

        try
        {
            Empty(new EmptiedDirectory(parent, name.ToArray(), subject, above: null, onRest), new DirectoryReader());
        }
        catch (LinuxException e) when (EmptiedDirectory.IsOfOneThing(e))
        {
            onRest(e);
        }
    }

    /// <summary>Removes a directory that is open, with everything below it.</summary>
    internal static void Empty(EmptiedDirectory top, DirectoryReader reader)
    {
        var levels = new Stack<EmptiedDirectory>();
        levels.Push(top);
        try
        {
            top.RemoveFiles(reader);
            while (levels.TryPeek(out EmptiedDirectory? level))
            {
                if (!level.Subdirectories.TryPop(out byte[]? child))
                {
                    levels.Pop();
                    level.Remove();
                }
                else if (levels.Count >= MaxLevels)
                {
                    MoveUp(level, child, top);
                }
                else if (level.TryEnter(child) is { } below)
                {
                    levels.Push(below);
                    below.RemoveFiles(reader);
                }
            }
        }
        finally
        {
            foreach (EmptiedDirectory level in levels)
            {
                level.Dispose();
            }
        }
    }

    private static void MoveUp(EmptiedDirectory level, byte[] child, EmptiedDirectory top)
    {
        bool madeWritable = false;
        for (int number = 0; ; number++)
        {
            byte[] fresh = Encoding.ASCII.GetBytes($"hacktree-removes-{top.Subdirectories.Count}-{number}");
            Errno errno = Sys.RenameNew(level.Handle, child, top.Handle, fresh);
            if (errno == Errno.None)
            {
                top.Subdirectories.Push(fresh);
                return;
            }

            if (errno == Errno.EACCES && !madeWritable)
            {
                // Moving a directory to another parent changes its "..", so the directory itself must be writable too.
                madeWritable = true;
                _ = Sys.SetMode(top.Handle, FileModes.OwnerOnly);
                _ = Sys.SetMode(level.Handle, FileModes.OwnerOnly);
                _ = Sys.SetMode(level.Handle, child, FileModes.OwnerOnly);
            }
            else if (errno != Errno.EEXIST)
            {
                level.Keep(new LinuxException(errno, "renameat2", level.Path));
                return;
            }
        }
    }
}
