using System.Globalization;
using CsCheck;
using HackTree.Boot;

namespace HackTree.Tests.Boot;

/// <summary>When a maintenance window is open, and when the next one begins.</summary>
public sealed class MaintenanceWindowTests
{
    private const int MinutesInDay = 24 * 60;
    private const int DaysInWeek = 7;

    /// <summary>2026-12-05 is a Saturday.</summary>
    [Theory]
    [InlineData("03:00-05:00", "2026-12-05 03:00", true)]
    [InlineData("03:00-05:00", "2026-12-05 04:59", true)]
    [InlineData("03:00-05:00", "2026-12-05 05:00", false)]
    [InlineData("03:00-05:00", "2026-12-05 02:59", false)]
    [InlineData("22:00-02:00", "2026-12-05 01:59", true)]
    [InlineData("22:00-02:00", "2026-12-05 02:00", false)]
    [InlineData("Sat 22:00-02:00", "2026-12-05 01:00", false)]
    [InlineData("Sat 22:00-02:00", "2026-12-05 23:00", true)]
    [InlineData("Sat 22:00-02:00", "2026-12-06 01:59", true)]
    [InlineData("Sat 22:00-02:00", "2026-12-06 22:00", false)]
    [InlineData("Fri..Mon 10:00-12:00", "2026-12-06 11:00", true)]
    [InlineData("Fri..Mon 10:00-12:00", "2026-12-08 11:00", false)]
    [InlineData("sat,SUN 10:00-12:00", "2026-12-05 11:00", true)]
    [InlineData("Mon 10:00-12:00 ; Sat 20:00-24:00", "2026-12-05 23:59", true)]
    [InlineData("Mon 10:00-12:00;Sat 20:00-24:00", "2026-12-06 00:00", false)]
    [InlineData("Sat 00:00-24:00", "2026-12-05 12:00", true)]
    [InlineData("Sat 23:00-00:00", "2026-12-05 23:30", true)]
    public void It_is_open_from_its_first_minute_to_before_its_last(string windows, string time, bool isOpen) =>
        Assert.Equal(isOpen, Settings(windows).IsOpen(Utc(time), TimeZoneInfo.Utc));

    [Theory]
    [InlineData("03:00-05:00", "2026-12-05 05:00", "2026-12-06 03:00")]
    [InlineData("03:00-05:00", "2026-12-05 02:59", "2026-12-05 03:00")]
    [InlineData("Sat 22:00-02:00", "2026-12-06 02:00", "2026-12-12 22:00")]
    [InlineData("Wed 10:00-12:00; Sat 20:00-24:00", "2026-12-06 00:00", "2026-12-09 10:00")]
    public void The_next_one_begins_at_its_first_minute(string windows, string time, string next) =>
        Assert.Equal(Utc(next), Settings(windows).NextOpening(Utc(time), TimeZoneInfo.Utc));

    /// <summary>
    /// In Berlin the clock goes from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC, and from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC. Both are Sundays.
    /// </summary>
    [Theory]
    [InlineData("02:30-04:00", "2026-03-29 00:59", false)]
    [InlineData("02:30-04:00", "2026-03-29 01:00", true)]
    [InlineData("02:30-04:00", "2026-03-29 02:00", false)]
    [InlineData("02:00-03:00", "2026-03-29 00:59", false)]
    [InlineData("02:00-03:00", "2026-03-29 01:00", false)]
    [InlineData("02:00-03:00", "2026-10-25 00:00", true)]
    [InlineData("02:00-03:00", "2026-10-25 01:59", true)]
    [InlineData("02:00-03:00", "2026-10-25 02:00", false)]
    [InlineData("Sat 22:00-03:00", "2026-10-25 01:59", true)]
    public void When_clocks_are_set_it_is_what_the_clock_shows(string windows, string time, bool isOpen) =>
        Assert.Equal(isOpen, Settings(windows).IsOpen(Utc(time), Berlin));

    [Theory]
    [InlineData("02:30-04:00", "2026-03-28 23:00", "2026-03-29 01:00")]
    [InlineData("02:00-03:00", "2026-03-28 23:00", "2026-03-30 00:00")]
    [InlineData("Sun 02:00-03:00", "2026-03-22 12:00", "2026-04-05 00:00")]
    [InlineData("02:00-03:00", "2026-10-24 23:00", "2026-10-25 00:00")]
    public void A_window_in_the_hour_that_is_left_out_does_not_come(string windows, string time, string next) =>
        Assert.Equal(Utc(next), Settings(windows).NextOpening(Utc(time), Berlin));

    /// <summary>Windows are compared with a list of all minutes of a week.</summary>
    [Fact]
    public void Any_windows_are_open_at_the_minutes_that_they_name()
    {
        Gen<(bool[] Days, int Start, int Length)> window =
            Gen.Select(Gen.Bool.Array[DaysInWeek].Where(days => days.Contains(true)), Gen.Int[0, MinutesInDay - 1], Gen.Int[60, MinutesInDay - 1]);
        Gen.Select(window.Array[1, 4], Gen.Int[0, (DaysInWeek * MinutesInDay) - 1]).Sample((windows, at) =>
        {
            bool[] open = new bool[DaysInWeek * MinutesInDay];
            foreach ((bool[] days, int start, int length) in windows)
            {
                for (int day = 0; day < DaysInWeek; day++)
                {
                    for (int minute = 0; minute < length && days[day]; minute++)
                    {
                        open[((day * MinutesInDay) + start + minute) % open.Length] = true;
                    }
                }
            }

            UpgradeSettings settings = Settings(string.Join(';', windows.Select(Text)));
            DateTimeOffset time = Sunday.AddMinutes(at);
            int next = Enumerable.Range(1, open.Length).First(count => open[(at + count) % open.Length]);
            return settings.IsOpen(time, TimeZoneInfo.Utc) == open[at]
                && settings.NextOpening(time.AddSeconds(59), TimeZoneInfo.Utc) == time.AddMinutes(next);
        });
    }

    private static readonly DateTimeOffset Sunday = new(2026, 11, 29, 0, 0, 0, TimeSpan.Zero);

    private static TimeZoneInfo Berlin => TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");

    private static UpgradeSettings Settings(string windows) => UpgradeSettings.Parse($"[Upgrade]\nWindow={windows}\n", "conf");

    private static DateTimeOffset Utc(string time) => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private static string Text((bool[] Days, int Start, int Length) window)
    {
        string[] names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        string days = string.Join(',', names.Where((_, day) => window.Days[day]));
        return $"{days} {Clock(window.Start)}-{Clock((window.Start + window.Length) % MinutesInDay)}";
    }

    private static string Clock(int minute) => string.Create(CultureInfo.InvariantCulture, $"{minute / 60:00}:{minute % 60:00}");
}
