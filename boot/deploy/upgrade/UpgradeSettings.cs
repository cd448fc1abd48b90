using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// How this machine is upgraded unattended: the file /etc/hacktree/hacktree.conf, which the administrator writes. docs/files.md has the format: lines
/// KEY=VALUE in the section [Upgrade], as in systemd's files, with which the timer is set that starts such an upgrade. Nothing that is not understood is
/// passed over: a slip in the name of a key would restart the machine at a time that nobody allowed.
/// </summary>
public sealed class UpgradeSettings
{
    /// <summary>The path of the file.</summary>
    public const string Path = "/etc/hacktree/hacktree.conf";

    private const string Section = "[Upgrade]";
    private const string WindowKey = "Window";
    private const string RefKey = "Ref";
    private const string RebootKey = "Reboot";
    private const string UsualWindow = "03:00-05:00";
    private const string Example = "write windows such as Sat,Sun 22:00-02:00 or Mon..Fri 03:00-05:00, with ; between two";

    // Each window comes in a week. In the one in which the clock is set forward, it may lie in the hour that is left out.
    private const int MostDaysToWait = 15;

    private static readonly string[] Keys = [WindowKey, RefKey, RebootKey];

    private readonly MaintenanceWindow[] windows;

    private UpgradeSettings(Dictionary<string, (string Value, string Place)> values)
    {
        (string Value, string Place) window = Get(values, WindowKey, UsualWindow), reboot = Get(values, RebootKey, "yes");
        windows = [.. window.Value.Split(';').Select(text => Window(text, window.Place))];
        Reboots = reboot.Value switch
        {
            "yes" => true,
            "no" => false,
            string other => throw new StoreException($"{reboot.Place}: '{other}' is no value of {RebootKey}=; write yes or no"),
        };
        Ref = values.TryGetValue(RefKey, out (string Value, string Place) named) ? named.Value : null;
    }

    /// <summary>The ref to upgrade to, as `upgrade` takes it; null for the one that the running root was made of.</summary>
    public string? Ref { get; }

    /// <summary>Whether an unattended upgrade restarts the machine.</summary>
    public bool Reboots { get; }

    /// <summary>Reads the file. Without one all is as usual. Throws <see cref="StoreException"/> that names the line that is wrong.</summary>
    public static UpgradeSettings Read()
    {
        try
        {
            return Parse(File.ReadAllText(Path), Path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Parse("", Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{Path}: it cannot be read ({e.Message})");
        }
    }

    /// <summary>Reads the text of such a file. Throws <see cref="StoreException"/> that names the line that is wrong.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">The path of the file.</param>
    public static UpgradeSettings Parse(string text, string path)
    {
        var values = new Dictionary<string, (string Value, string Place)>();
        bool isInSection = false;
        int number = 0;
        foreach (string line in text.Split('\n').Select(line => line.Trim()))
        {
            number++;
            string place = $"{path}, line {number}";
            if (line.StartsWith('['))
            {
                isInSection = line == Section ? true : throw new StoreException($"{place}: there is no section {line}; the only one is {Section}");
            }
            else if (line.Length > 0 && line[0] is not ('#' or ';'))
            {
                (string key, string value) = Split(line, place);
                if (!isInSection)
                {
                    throw new StoreException($"{place}: {key}= stands in no section; write {Section} in a line above it");
                }

                if (!values.TryAdd(key, (value, place)))
                {
                    string once = key == WindowKey ? "once, with ; between two windows" : "once";
                    throw new StoreException($"{place}: {key}= stands there a second time; write it {once}");
                }
            }
        }

        return new UpgradeSettings(values);
    }

    /// <summary>Whether the machine may be upgraded unattended at a time.</summary>
    /// <param name="time">The time.</param>
    /// <param name="zone">The time zone of the machine.</param>
    public bool IsOpen(DateTimeOffset time, TimeZoneInfo zone)
    {
        DateTime local = TimeZoneInfo.ConvertTime(time, zone).DateTime;
        return Array.Exists(windows, window => window.Contains(local));
    }

    /// <summary>The first full minute after a time at which <see cref="IsOpen"/> holds, in the time zone.</summary>
    /// <param name="time">The time.</param>
    /// <param name="zone">The time zone of the machine.</param>
    public DateTimeOffset NextOpening(DateTimeOffset time, TimeZoneInfo zone)
    {
        // Clocks are set forward and back at full minutes, so one look a minute misses nothing.
        const int MinutesInDay = 24 * 60;
        DateTimeOffset minute = DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds() / 60 * 60);
        DateTimeOffset next = Enumerable.Range(1, MostDaysToWait * MinutesInDay).Select(count => minute.AddMinutes(count)).First(at => IsOpen(at, zone));
        return TimeZoneInfo.ConvertTime(next, zone);
    }

    private static (string Key, string Value) Split(string line, string place)
    {
        int equals = line.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            throw new StoreException($"{place}: '{line}' is no setting; write KEY=VALUE, or # before a comment");
        }

        string key = line[..equals].TrimEnd(), value = line[(equals + 1)..].TrimStart();
        string known = string.Join(", ", Keys.Select(each => $"{each}="));
        return !Keys.Contains(key) ? throw new StoreException($"{place}: there is no setting {key}=; those of {Section} are {known}")
            : value.Length == 0 ? throw new StoreException($"{place}: {key}= has no value; write one, or remove the line")
            : (key, value);
    }

    private static (string Value, string Place) Get(Dictionary<string, (string Value, string Place)> values, string key, string usual) =>
        values.TryGetValue(key, out (string Value, string Place) given) ? given : (usual, Path);

    private static MaintenanceWindow Window(string text, string place)
    {
        try
        {
            return MaintenanceWindow.Parse(text);
        }
        catch (FormatException e)
        {
            throw new StoreException($"{place}: {e.Message}; {Example}");
        }
    }
}
