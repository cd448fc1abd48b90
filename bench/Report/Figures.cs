using System.Globalization;

namespace HackTree.Bench.Report;

/// <summary>Numbers in the form of a report: at most three digits.</summary>
internal static class Figures
{
    /// <summary>"12.3 s", "0.41 s", "8.2 ms".</summary>
    internal static string Seconds(double seconds) => seconds switch
    {
        < 0.0995 => $"{Digits(seconds * 1000)} ms",
        _ => $"{Digits(seconds)} s",
    };

    /// <summary>"1.23 GB".</summary>
    internal static string Bytes(double bytes)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB"];
        int unit = 0;
        while (bytes >= 999.5 && unit < units.Length - 1)
        {
            bytes /= 1000;
            unit++;
        }

        return $"{Digits(bytes)} {units[unit]}";
    }

    /// <summary>"0.87 x"; "-" for none.</summary>
    internal static string Ratio(double? ratio) => ratio is { } value ? $"{Digits(value)} x" : "-";

    /// <summary>"72,345".</summary>
    internal static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Digits(double value) =>
        value.ToString(value >= 99.95 ? "0" : value >= 9.995 ? "0.0" : "0.00", CultureInfo.InvariantCulture);
}
