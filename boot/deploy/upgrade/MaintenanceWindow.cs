using System.Globalization;

namespace HackTree.Boot;

/// <summary>
/// A time of the day, on some days of the week, at which a machine may be upgraded unattended: "Mon..Fri,Sun 22:00-02:00". It begins on those days and
/// may end on the day after. Times are what the clock on the wall shows: an hour that the clock leaves out in spring does not come, and one that it
/// shows twice in autumn comes twice. docs/files.md has the format.
/// </summary>
public sealed class MaintenanceWindow
{
    private const int MinutesInHour = 60;
    private const int MinutesInDay = 24 * MinutesInHour;
    private const int DaysInWeek = 7;

    // The package's timer runs twice an hour, so it never misses such a window.
    private const int LeastMinutes = MinutesInHour;

    private static readonly string[] DayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

    // By DayOfWeek: whether it begins on that day.
    private readonly bool[] days;

    // Minutes since midnight; the end may be on the next day.
    private readonly int start;
    private readonly int end;

    private MaintenanceWindow(bool[] days, int start, int end)
    {
        this.days = days;
        this.start = start;
        this.end = end;
    }

    /// <summary>Whether it is open at a local time.</summary>
    public bool Contains(DateTime local)
    {
        int today = (int)local.DayOfWeek, yesterday = (today + DaysInWeek - 1) % DaysInWeek;
        int minute = (local.Hour * MinutesInHour) + local.Minute;
        return (days[today] && IsBetween(minute)) || (days[yesterday] && IsBetween(minute + MinutesInDay));
    }

    /// <summary>Reads a window. Throws <see cref="FormatException"/> that says what is wrong.</summary>
    internal static MaintenanceWindow Parse(string text)
    {
        string[] words = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is not (1 or 2))
        {
            throw new FormatException($"'{text.Trim()}' is no window");
        }

        string[] times = words[^1].Split('-');
        if (times.Length != 2)
        {
            throw new FormatException($"'{words[^1]}' has no time of a beginning and of an end");
        }

        int start = Time(times[0]), end = Time(times[1]);
        if (start == MinutesInDay)
        {
            throw new FormatException("24:00 is only an end");
        }

        if (start == end)
        {
            throw new FormatException($"the window '{text.Trim()}' ends when it begins, and a whole day is 00:00-24:00");
        }

        end += end < start ? MinutesInDay : 0;
        return end - start >= LeastMinutes
            ? new MaintenanceWindow(words.Length == 2 ? Days(words[0]) : [.. DayNames.Select(_ => true)], start, end)
            : throw new FormatException($"the window '{text.Trim()}' is shorter than an hour");
    }

    private bool IsBetween(int minute) => minute >= start && minute < end;

    private static int Time(string text) => text == "24:00" ? MinutesInDay
        : TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out TimeOnly time)
            ? (time.Hour * MinutesInHour) + time.Minute
            : throw new FormatException($"'{text}' is no time from 00:00 to 24:00");

    private static bool[] Days(string text)
    {
        bool[] days = new bool[DaysInWeek];
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split("..");
            if (ends.Length > 2)
            {
                throw new FormatException($"'{part}' is no range of days");
            }

            int day = Day(ends[0]), last = Day(ends[^1]);
            days[day] = true;
            while (day != last)
            {
                day = (day + 1) % DaysInWeek;
                days[day] = true;
            }
        }

        return days;
    }

    private static int Day(string text)
    {
        int day = Array.FindIndex(DayNames, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        return day >= 0 ? day : throw new FormatException($"'{text}' is no day of the week, which are {string.Join(", ", DayNames)}");
    }
}
