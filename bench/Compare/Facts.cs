using System.Globalization;
using HackTree.Bench.Peers;
using HackTree.Bench.Report;

namespace HackTree.Bench.Compare;

/// <summary>What a reader of a figure must know about the machine, the tree and the program.</summary>
internal static class Facts
{
    internal static MachineFacts Machine() => new(
        Field("/proc/cpuinfo", "model name", ':'),
        Environment.ProcessorCount,
        long.Parse(Field("/proc/meminfo", "MemTotal", ':').Split(' ')[0], CultureInfo.InvariantCulture) * 1024,
        Shell.Run("uname", "-sr").Trim(),
        File.Exists("/etc/os-release") ? Field("/etc/os-release", "PRETTY_NAME", '=').Trim('"') : "unknown",
        string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ').Take(3)));

    internal static TreeFacts Tree(NativeTools tools, string name, string tree, long changed)
    {
        string[] numbers = Shell.Run(tools.Floor, "count", tree).Trim().Split(' ');
        long[] counts = [.. numbers.Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
        return new TreeFacts(name, counts[0], counts[1], counts[2], counts[3], counts[4], changed);
    }

    internal static ContestantFacts Contestant(Contestant contestant)
    {
        (_, string output, string error) = Shell.Try(contestant.VersionCommand);
        string[] lines = (output + error).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        // ostree prints "libostree:" first and " Version: '2022.7'" on the next line.
        string version = lines.FirstOrDefault(line => line.Any(char.IsAsciiDigit)) ?? "";
        return new ContestantFacts(contestant.Name, version.Trim(' ', '\''), contestant.How);
    }

    private static string Field(string file, string name, char separator) =>
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[1].Trim() ?? "unknown";
}
