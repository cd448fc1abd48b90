namespace HackTree.Checkout;

/// <summary>The mounts that the calling thread sees: /proc/thread-self/mountinfo, proc_pid_mountinfo(5).</summary>
public static class MountTable
{
    private const string Source = "/proc/thread-self/mountinfo";

    /// <summary>
    /// The mount points at and below a real path, in the order they were mounted. A mount point may occur more than once.
    /// </summary>
    public static IEnumerable<string> PointsBelow(string path) =>
        (File.Exists(Source) ? File.ReadAllLines(Source) : [])
            .Select(line => line.Split(' '))
            .Where(fields => fields.Length > 4)
            .Select(fields => Unescape(fields[4]))
            .Where(point => point == path || point.StartsWith(path + "/", StringComparison.Ordinal));

    /// <summary>Replaces the octal escapes that mountinfo has for space, tab, newline and backslash.</summary>
    private static string Unescape(string field) => field
        .Replace("\\040", " ", StringComparison.Ordinal)
        .Replace("\\011", "\t", StringComparison.Ordinal)
        .Replace("\\012", "\n", StringComparison.Ordinal)
        .Replace("\\134", "\\", StringComparison.Ordinal);
}
