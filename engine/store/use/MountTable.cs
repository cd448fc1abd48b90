namespace HackTree.Store;

/// <summary>The mounts of a mount namespace, as a process sees them: /proc/PID/mountinfo, proc_pid_mountinfo(5).</summary>
public static class MountTable
{
    private const string Own = "/proc/thread-self/mountinfo";

    /// <summary>
    /// The mount points at and below a real path, in the order they were mounted. A mount point may occur more than once.
    /// </summary>
    public static IEnumerable<string> PointsBelow(string path) =>
        ReadOwn().Select(mount => mount.Point).Where(point => point == path || Roots.IsBelow(point, path));

    /// <summary>The real paths at which the last mount is read-only.</summary>
    public static IEnumerable<string> ReadOnlyPoints() =>
        ReadOwn().GroupBy(mount => mount.Point).Where(mounts => mounts.Last().IsReadOnly).Select(mounts => mounts.Key);

    /// <summary>The last mount at a real path, which is the one that is seen; null for none.</summary>
    public static Mount? LastAt(string path) => ReadOwn().LastOrDefault(mount => mount.Point == path);

    /// <summary>The overlays that the calling thread sees.</summary>
    public static IEnumerable<Mount> Overlays() => ReadOwn().Where(mount => mount.Type == "overlay");

    /// <summary>The mount points of overlays that have a directory, by its real path, as a layer.</summary>
    public static IEnumerable<string> OverlaysOf(string layer) =>
        Overlays().Where(mount => OverlayLayers.Of(mount).Contains(layer)).Select(mount => mount.Point);

    /// <summary>The mounts that the calling thread sees. None if /proc is not mounted.</summary>
    internal static List<Mount> ReadOwn() => Read(Own);

    /// <summary>The mounts that another process sees. None if the process has ended, or if this process may not know them.</summary>
    internal static List<Mount> ReadOf(int process) => Read($"/proc/{process}/mountinfo");

    private static List<Mount> Read(string source)
    {
        var mounts = new List<Mount>();
        ReadOnlySpan<byte> rest = ReadAll(source);
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOf((byte)'\n');
            if (Mount.Parse(end < 0 ? rest : rest[..end]) is { } mount)
            {
                mounts.Add(mount);
            }

            rest = end < 0 ? [] : rest[(end + 1)..];
        }

        return mounts;
    }

    private static byte[] ReadAll(string source)
    {
        try
        {
            return File.ReadAllBytes(source);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
