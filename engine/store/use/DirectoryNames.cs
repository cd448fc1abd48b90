using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// The names that one directory has in the mount namespaces of a machine. A directory's place in its filesystem is known from the mounts that this
/// process sees. Each mount of the filesystem, in any namespace, then tells under which name the directory is seen there.
/// </summary>
/// <remarks>
/// Paths are compared, because a file's inode does not tell in which root it is: the files of roots are hardlinks. The paths in /proc are the
/// kernel's: without symbolic links, and true after a renaming.
/// </remarks>
internal sealed class DirectoryNames
{
    private readonly string path;
    private readonly string? device;
    private readonly string inFilesystem = "";

    /// <param name="path">The directory's real path.</param>
    /// <param name="mounts">The mounts that this process sees.</param>
    internal DirectoryNames(string path, IReadOnlyList<Mount> mounts)
    {
        this.path = path;
        if (FindMount(path, mounts) is { } mount)
        {
            device = mount.Device;
            inFilesystem = Join(mount.Root, path, mount.Point);
        }
    }

    /// <summary>
    /// The paths under which a mount namespace shows the directory. A mount that is hidden by another one counts too: a process may have opened
    /// something in it before.
    /// </summary>
    /// <param name="mounts">The mounts of the namespace.</param>
    /// <param name="isOwn">Whether this process is in the namespace.</param>
    internal List<string> In(IReadOnlyList<Mount> mounts, bool isOwn)
    {
        List<string> names = isOwn ? [path] : [];
        names.AddRange(mounts
            .Where(mount => mount.Device == device && IsIn(inFilesystem, mount.Root))
            .Select(mount => Join(mount.Point, inFilesystem, mount.Root)));
        return [.. names.Distinct()];
    }

    /// <summary>The mounts that show the directory, or one below it, at a place of their own.</summary>
    internal IEnumerable<Mount> BindsIn(IReadOnlyList<Mount> mounts) =>
        mounts.Where(mount => mount.Device == device && IsIn(mount.Root, inFilesystem) && !IsIn(mount.Point, path));

    /// <summary>Whether a mount shows the directory itself, read-only.</summary>
    internal bool IsReadOnly(Mount mount) => mount.IsReadOnly && mount.Device == device && mount.Root == inFilesystem;

    /// <summary>Whether a path is <paramref name="top"/> or below it.</summary>
    internal static bool IsIn(string path, string top) => path == top || Roots.IsBelow(path, top);

    /// <summary>The path at which something below <paramref name="from"/> is seen if that is seen at <paramref name="to"/>.</summary>
    private static string Join(string to, string path, string from)
    {
        string rest = from == "/" ? path : path[from.Length..];
        return rest is "" or "/" ? to : to.TrimEnd('/') + rest;
    }

    /// <summary>The mount through which a path leads: by its number, otherwise the last one with the longest path.</summary>
    private static Mount? FindMount(string path, IReadOnlyList<Mount> mounts)
    {
        ulong? id = Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None ? status.MountId : null;
        return mounts.FirstOrDefault(mount => mount.Id == id && IsIn(path, mount.Point))
            ?? mounts.Where(mount => IsIn(path, mount.Point)).OrderBy(mount => mount.Point.Length).LastOrDefault();
    }
}
