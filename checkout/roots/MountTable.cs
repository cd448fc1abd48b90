namespace HackTree.Checkout;

/// <summary>What is mounted, as the calling thread sees it: /proc/thread-self/mountinfo, proc_pid_mountinfo(5).</summary>
public static class MountTable
{
    private const string Source = "/proc/thread-self/mountinfo";

    /// <summary>The mount points at and below an absolute path without links, in the order they were mounted; one may come more than once.</summary>
    public static IEnumerable<string> PointsBelow(string path) =>
        (File.Exists(Source) ? File.ReadAllLines(Source) : [])
            .Select(line => line.Split(' '))
            .Where(fields => fields.Length > 4)
            .Select(fields => Unescape(fields[4]))
            .Where(point => point == path || point.StartsWith(path + "/", StringComparison.Ordinal));

    /// <summary>Space, tab, newline and backslash are in octal there.</summary>
    private static string Unescape(string field) => field
        .Replace("\\040", " ", StringComparison.Ordinal)
        .Replace("\\011", "\t", StringComparison.Ordinal)
        .Replace("\\012", "\n", StringComparison.Ordinal)
        .Replace("\\134", "\\", StringComparison.Ordinal);
}
