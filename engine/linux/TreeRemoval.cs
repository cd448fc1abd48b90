using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>Removes a whole tree by descriptors: no path is ever built, no symbolic link followed, no mount entered, and depth does not matter.</summary>
public static class TreeRemoval
{
    // Each level holds a descriptor; directories below this are moved to the top first, so that no depth uses them up.
    private const int MaxLevels = 200;

    /// <summary>
    /// Removes <paramref name="name"/> in <paramref name="parent"/>, a file or a directory with all that is below it.
    /// Nothing there is not an error. Directories without owner permissions are given them first. Something mounted
    /// in the tree is EBUSY and stays as it is; what was removed before it was found is gone.
    /// </summary>
    public static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject)
    {
        Errno errno = Sys.Unlink(parent, name);
        if (errno is Errno.None or Errno.ENOENT)
        {
            return;
        }

        if (!EmptiedDirectory.IsDirectory(errno, parent, name))
        {
            throw new LinuxException(errno, "unlinkat", subject);
        }

        var levels = new Stack<EmptiedDirectory>();
        try
        {
            var reader = new DirectoryReader();
            var top = new EmptiedDirectory(parent, name.ToArray(), subject);
            levels.Push(top);
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
                    MoveUp(level, child, top, subject);
                }
                else
                {
                    var below = new EmptiedDirectory(level.Handle, child, subject);
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

    private static void MoveUp(EmptiedDirectory level, byte[] child, EmptiedDirectory top, string subject)
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
                // A directory that changes its parent must be writable, since its ".." changes.
                madeWritable = true;
                _ = Sys.SetMode(top.Handle, FileModes.OwnerOnly);
                _ = Sys.SetMode(level.Handle, FileModes.OwnerOnly);
                _ = Sys.SetMode(level.Handle, child, FileModes.OwnerOnly);
            }
            else if (errno != Errno.EEXIST)
            {
                throw new LinuxException(errno, "renameat2", subject);
            }
        }
    }
}
