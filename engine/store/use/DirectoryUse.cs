using System.Globalization;
using HackTree.Linux;

namespace HackTree.Store;

/// <summary>
/// Tells what uses a directory: mounts in it, mounts and overlays of it, loop devices and swap files, and processes. Other mount namespaces count too.
/// </summary>
/// <remarks>
/// What cannot be seen: processes of other users if this process is not root's, processes outside of the pid namespace, mounts of a namespace in
/// which no process is, and a thread's own working directory or files. The layers of an overlay can be relative paths, and nothing tells to what.
/// They are looked for in the directory and in the directories above it.
/// </remarks>
public sealed class DirectoryUse
{
    private readonly DirectoryNames directory;
    private readonly List<Mount> own = MountTable.ReadOwn();
    private readonly FileStatus status;

    // By the link of the namespace: the names of the directory there.
    private readonly Dictionary<string, List<string>> namespaces = [];
    private readonly bool withFiles;
    private readonly bool withReadOnlyMount;

    private DirectoryUse(string path, in FileStatus status, bool withFiles, bool withReadOnlyMount)
    {
        directory = new DirectoryNames(path, own);
        this.status = status;
        this.withFiles = withFiles;
        this.withReadOnlyMount = withReadOnlyMount;
    }

    /// <summary>The first user that is found of the directory at a real path; null if nothing uses it.</summary>
    /// <param name="path">The directory's real path.</param>
    /// <param name="status">Its status.</param>
    /// <param name="withFiles">Whether open and mapped files count.</param>
    /// <param name="withReadOnlyMount">Whether read-only mounts of the directory over itself count.</param>
    public static DirectoryUser? Find(string path, in FileStatus status, bool withFiles = true, bool withReadOnlyMount = true) =>
        new DirectoryUse(path, status, withFiles, withReadOnlyMount).Find();

    private DirectoryUser? Find()
    {
        List<string> names = directory.In(own, isOwn: true);
        namespaces[NamespaceOf("thread-self")] = names;
        return FindMount(own, names, "") ?? (DirectoryUser?)FindDisk(names) ?? FindProcess();
    }

    private DirectoryUser? FindMount(List<Mount> mounts, List<string> names, string namespaceRoot)
    {
        // A mount of the directory itself is both: the directory has a name there, at which something is mounted.
        DirectoryUser? use = directory.BindsIn(mounts).FirstOrDefault() is { } bind ? new DirectoryUser.Bind(bind.Point)
            : mounts.Find(mount => names.Exists(name => DirectoryNames.IsIn(mount.Point, name)) && !IsLeftOut(mount, names)) is { } inside
                ? new DirectoryUser.MountPoint(inside.Point)
            : null;
        return use ?? FindOverlay(mounts, names, namespaceRoot);
    }

    private bool IsLeftOut(Mount mount, List<string> names) => !withReadOnlyMount && directory.IsReadOnly(mount) && names.Contains(mount.Point);

    private static DirectoryUser.Overlay? FindOverlay(List<Mount> mounts, List<string> names, string namespaceRoot)
    {
        foreach (Mount mount in mounts)
        {
            if (OverlayLayers.Of(mount).FirstOrDefault(layer => names.Exists(name => IsLayerIn(layer, name, namespaceRoot))) is { } found)
            {
                return new DirectoryUser.Overlay(found, mount.Point);
            }
        }

        return null;
    }

    /// <summary>Whether a layer's path may lead to a directory or into it.</summary>
    private static bool IsLayerIn(string layer, string name, string namespaceRoot)
    {
        if (Path.IsPathRooted(layer))
        {
            return LeadsIn(Path.TrimEndingDirectorySeparator(Path.GetFullPath(layer)), layer);
        }

        for (string? above = name; above is not null; above = Path.GetDirectoryName(above))
        {
            string candidate = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Path.Combine(above, layer)));
            if (Directory.Exists(namespaceRoot + candidate) && LeadsIn(candidate, candidate))
            {
                return true;
            }
        }

        return false;

        bool LeadsIn(string written, string followed) => DirectoryNames.IsIn(written, name) || DirectoryNames.IsIn(RealPathOf(namespaceRoot + followed), name);
    }

    private static string RealPathOf(string path)
    {
        try
        {
            return RealPath.Of(path);
        }
        catch (LinuxException)
        {
            return path;
        }
    }

    private static DirectoryUser.Disk? FindDisk(List<string> names)
    {
        foreach ((string user, string file) in Loops().Concat(Swaps()))
        {
            if (names.Exists(name => DirectoryNames.IsIn(file, name)))
            {
                return new DirectoryUser.Disk(file, user);
            }
        }

        return null;
    }

    private static IEnumerable<(string User, string File)> Loops() =>
        from device in Directory.Exists("/sys/block") ? Directory.EnumerateFileSystemEntries("/sys/block", "loop*") : []
        let file = ProcFile.TryRead($"{device}/loop/backing_file")
        where file is not null
        select ($"/dev/{Path.GetFileName(device)}", file);

    // FILENAME TYPE SIZE USED PRIORITY, below a headline.
    private static IEnumerable<(string User, string File)> Swaps() =>
        (ProcFile.TryRead("/proc/swaps") ?? "").Split('\n').Skip(1).Select(line => ("swap", Mount.Unescape(line.Split(' ', '\t')[0])));

    private DirectoryUser? FindProcess()
    {
        var look = new ProcessLook(status, withFiles);
        foreach (string entry in Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc") : [])
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int process) && process != Environment.ProcessId
                && (FindNames(process, out List<string> names) ?? look.At(process, names)) is { } user)
            {
                return user;
            }
        }

        return null;
    }

    /// <summary>
    /// Finds the directory's names in the namespace of a process. If the namespace was not seen before, answers a mount in it that uses the directory.
    /// </summary>
    private DirectoryUser? FindNames(int process, out List<string> names)
    {
        string name = NamespaceOf(process.ToString(CultureInfo.InvariantCulture));
        if (namespaces.TryGetValue(name, out List<string>? known))
        {
            names = known;
            return null;
        }

        // A mount table has paths from the process's root. If that is not the namespace's, the mounts have longer names.
        string root = ProcFile.TryReadLink($"/proc/{process}/root") is { Length: > 1 } link ? link : "";
        List<Mount> mounts = MountTable.ReadOf(process).ConvertAll(mount => mount with { Point = Path.TrimEndingDirectorySeparator(root + mount.Point) });
        names = directory.In(mounts, isOwn: false);
        namespaces[name] = names;
        return FindMount(mounts, names, $"/proc/{process}/root") is { } user ? user with { SeenBy = new LockHolder(process, Flock.ProgramOf(process)) } : null;
    }

    private static string NamespaceOf(string process) => ProcFile.TryReadLink($"/proc/{process}/ns/mnt") ?? "";
}
