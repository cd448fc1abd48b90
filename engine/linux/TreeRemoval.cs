using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

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
    /// an error. A directory without permissions for its owner gets them first. Throws <see cref="LinuxException"/>: EBUSY for a mount in
    /// the tree, which stays as it is; what was removed before the mount was found is gone.
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
                    RequireEmpty(level, subject);
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

    private static void RequireEmpty(EmptiedDirectory level, string subject)
    {
        if (level.Obstacles.Count > 0)
        {
            level.Dispose();
            throw new LinuxException(Errno.EPERM, "unlinkat", subject);
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
                // Moving a directory to another parent changes its "..", so the directory itself must be writable too.
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
