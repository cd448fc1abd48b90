using System.Globalization;

namespace HackTree.Cli;

/// <summary>Numbers and times in a form for people, which is the same in every language and time zone.</summary>
internal static class HumanText
{
    private static readonly string[] Units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

    /// <summary>"12,345".</summary>
    internal static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>"1 file", "12,345 files".</summary>
    internal static string Count(long count, string what) => Count(count, what, what + "s");

    /// <summary>"1 entry", "2 entries".</summary>
    internal static string Count(long count, string one, string many) => $"{Count(count)} {(count == 1 ? one : many)}";

    /// <summary>"1.23 GB": three digits, and units of 1000.</summary>
    internal static string Bytes(double bytes)
    {
        int unit = 0;
        while (bytes >= 999.5 && unit < Units.Length - 1)
        {
            bytes /= 1000;
            unit++;
        }

        string format = unit == 0 || bytes >= 99.95 ? "0" : bytes >= 9.995 ? "0.0" : "0.00";
        return $"{bytes.ToString(format, CultureInfo.InvariantCulture)} {Units[unit]}";
    }

    /// <summary>"0.41 s", "1:05 min", "2:00:09 h".</summary>
    internal static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 9.995 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.00} s"),
        { TotalSeconds: < 59.95 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s"),
        { TotalMinutes: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes}:{time.Seconds:00} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00} h"),
    };

    /// <summary>"2026-11-23 04:17:32 UTC", or "@99999999999999" for a time outside the years 1 to 9999.</summary>
    internal static string Date(long seconds) => IsDate(seconds)
        ? DateTimeOffset.FromUnixTimeSeconds(seconds).UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)
        : $"@{seconds.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>"2026-11-23 04:17", for tables.</summary>
    internal static string ShortDate(long seconds) => IsDate(seconds)
        ? DateTimeOffset.FromUnixTimeSeconds(seconds).UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)
        : Date(seconds);

    /// <summary>"33 %".</summary>
    internal static string Share(double part, double whole) =>
        whole <= 0 ? "0 %" : $"{(100 * part / whole).ToString("0.#", CultureInfo.InvariantCulture)} %";

    private static bool IsDate(long seconds) =>
        seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds() && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds();
}
