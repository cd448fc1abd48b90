using System.Globalization;
using System.Text.RegularExpressions;

namespace HackTree.Cli;

/// <summary>
/// Reads the times that people give: "2026-11-23T04:17:32Z", "@1795407452", and "30 days ago" for a time in the past. Writes one that is to come.
/// </summary>
internal static partial class TimeText
{
    private const string Forms = "2026-11-23T04:17:32Z, 2026-11-23T05:17:32+01:00 or @1795407452";

    private static readonly string[] Formats =
    [
        "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd' 'HH:mm:ssK", "yyyy-MM-dd' 'HH:mm:ss K",
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>The seconds since 1970 of a time (RFC 3339), or of "@SECONDS". Throws <see cref="UsageException"/> for other text.</summary>
    internal static long Time(string option, string text) => TryTime(text, out long seconds)
        ? seconds
        : throw new UsageException($"{option}: '{text}' is no time; write {Forms}");

    /// <summary>A time as <see cref="Time"/>, or one in the past: "30 days ago", "12h". Throws <see cref="UsageException"/> for other text.</summary>
    internal static long TimeOrAge(string option, string text, DateTimeOffset now)
    {
        if (TryTime(text, out long seconds))
        {
            return seconds;
        }

        // A number of eight digits of years is 10^15 seconds, so nothing overflows.
        return Age().Match(text) is { Success: true } age
            ? now.ToUnixTimeSeconds() - (long.Parse(age.Groups[1].Value, CultureInfo.InvariantCulture) * SecondsIn(age.Groups[2].Value))
            : throw new UsageException($"{option}: '{text}' is no time; write '30 days ago', 12h, or {Forms}");
    }

    /// <summary>A minute of the local time, with its day: "Mon 2026-11-23 04:17".</summary>
    internal static string Minute(DateTimeOffset local) => local.ToString("ddd yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static bool TryTime(string text, out long seconds)
    {
        if (text.StartsWith('@'))
        {
            return long.TryParse(text.AsSpan(1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out seconds);
        }

        // K accepts a time without its zone, which would be that of the machine.
        bool isTime = DateTimeOffset.TryParseExact(
            text.ToUpperInvariant(), Formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time) && Zone().IsMatch(text);
        seconds = isTime ? time.ToUnixTimeSeconds() : 0;
        return isTime;
    }

    private static long SecondsIn(string unit) => unit[0] switch
    {
        's' => 1,
        'm' when unit.StartsWith("mo", StringComparison.Ordinal) => 30 * 86400,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        'w' => 7 * 86400,
        _ => 365 * 86400,
    };

    [GeneratedRegex(@"([zZ]|[+-]\d\d:\d\d)$")]
    private static partial Regex Zone();

    [GeneratedRegex("^([0-9]{1,8}) ?(s|m|h|d|w|y|(?:second|min|minute|hour|day|week|month|year)s?)(?: ago)?$")]
    private static partial Regex Age();
}
