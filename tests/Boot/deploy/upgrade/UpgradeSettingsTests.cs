using HackTree.Boot;
using HackTree.Store;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>What hacktree.conf may say, and how a slip in it is told.</summary>
public sealed class UpgradeSettingsTests
{
    private static readonly DateTimeOffset Night = new(2026, 12, 5, 3, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("")]
    [InlineData("# nothing\n\n; nor here\n")]
    [InlineData("[Upgrade]\n")]
    [InlineData("[Upgrade]\n[Upgrade]\nReboot=yes")]
    [InlineData("\uFEFF[Upgrade]\r\n  Window = 03:00-05:00\t\r\n#Window=x\r\n")]
    public void Without_a_setting_all_is_as_usual(string text)
    {
        string path = Path.GetTempFileName();
        File.WriteAllText(path, text);
        var settings = UpgradeSettings.Parse(File.ReadAllText(path), path);
        File.Delete(path);
        RequireUsual(settings);
    }

    [Fact]
    public void Settings_are_read()
    {
        var settings = UpgradeSettings.Parse("[Upgrade]\nRef = origin:debian/bookworm\nReboot=no\nWindow=Sat 20:00-24:00; Mon..Fri 01:00-02:00\n", "conf");
        Assert.Equal(("origin:debian/bookworm", false), (settings.Ref, settings.Reboots));
        Assert.False(settings.IsOpen(Night, TimeZoneInfo.Utc));
        Assert.True(settings.IsOpen(Night.AddHours(17), TimeZoneInfo.Utc));
    }

    [Theory]
    [InlineData("Window=03:00-05:00", "line 1: Window= stands in no section; write [Upgrade] in a line above it")]
    [InlineData("[Upgrade]\n\nWindwo=03:00-05:00", "line 3: there is no setting Windwo=; those of [Upgrade] are Window=, Ref=, Reboot=")]
    [InlineData("[Upgrade]\nwindow=03:00-05:00", "line 2: there is no setting window=; those of [Upgrade] are Window=, Ref=, Reboot=")]
    [InlineData("[Core]", "line 1: there is no section [Core]; the only one is [Upgrade]")]
    [InlineData("[Upgrade", "line 1: there is no section [Upgrade; the only one is [Upgrade]")]
    [InlineData("[Upgrade]\nReboot", "line 2: 'Reboot' is no setting; write KEY=VALUE, or # before a comment")]
    [InlineData("[Upgrade]\nReboot=", "line 2: Reboot= has no value; write one, or remove the line")]
    [InlineData("[Upgrade]\nReboot=true", "line 2: 'true' is no value of Reboot=; write yes or no")]
    [InlineData("[Upgrade]\nRef=a\nRef=a", "line 3: Ref= stands there a second time; write it once")]
    [InlineData("[Upgrade]\nWindow=03:00-05:00\nWindow=13:00-15:00", "line 3: Window= stands there a second time; write it once, with ; between two windows")]
    [InlineData("[Upgrade]\nWindow=nightly", "line 2: 'nightly' has no time of a beginning and of an end; write windows such as Sat,Sun 22:00-02:00 or ")]
    [InlineData("[Upgrade]\nWindow=03:00-05:00;", "line 2: '' is no window; ")]
    [InlineData("[Upgrade]\nWindow=03:00-05:00 # at night", "line 2: '03:00-05:00 # at night' is no window; ")]
    [InlineData("[Upgrade]\nWindow=3:00-05:00", "line 2: '3:00' is no time from 00:00 to 24:00; ")]
    [InlineData("[Upgrade]\nWindow=03:00-25:00", "line 2: '25:00' is no time from 00:00 to 24:00; ")]
    [InlineData("[Upgrade]\nWindow=24:00-02:00", "line 2: 24:00 is only an end; ")]
    [InlineData("[Upgrade]\nWindow=03:00-03:00", "line 2: the window '03:00-03:00' ends when it begins, and a whole day is 00:00-24:00; ")]
    [InlineData("[Upgrade]\nWindow=03:00-03:59", "line 2: the window '03:00-03:59' is shorter than an hour; ")]
    [InlineData("[Upgrade]\nWindow=23:30-00:29", "line 2: the window '23:30-00:29' is shorter than an hour; ")]
    [InlineData("[Upgrade]\nWindow=Mo 03:00-05:00", "line 2: 'Mo' is no day of the week, which are Sun, Mon, Tue, Wed, Thu, Fri, Sat; ")]
    [InlineData("[Upgrade]\nWindow=Mon-Fri 03:00-05:00", "line 2: 'Mon-Fri' is no day of the week")]
    [InlineData("[Upgrade]\nWindow=Mon..Wed..Fri 03:00-05:00", "line 2: 'Mon..Wed..Fri' is no range of days; ")]
    [InlineData("[Upgrade]\nWindow=Mon, Tue 03:00-05:00", "line 2: 'Mon, Tue 03:00-05:00' is no window; ")]
    public void A_slip_is_told_with_its_line(string text, string sentence)
    {
        StoreException refused = Assert.Throws<StoreException>(() => UpgradeSettings.Parse(text, "/etc/x.conf"));
        Assert.StartsWith($"/etc/x.conf, {sentence}", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>The file of the package changes nothing, and each line that it shows may be taken.</summary>
    [Fact]
    public void The_file_of_the_package_says_what_holds_without_it()
    {
        string text = Repository.Read("packaging/hacktree.conf");
        RequireUsual(UpgradeSettings.Parse(text, "conf"));
        var settings = UpgradeSettings.Parse(text.Replace("\n#", "\n", StringComparison.Ordinal).Replace("\n ", "\n# ", StringComparison.Ordinal), "conf");
        Assert.Equal("origin:debian/bookworm", settings.Ref);
        RequireUsual(settings, withRef: true);
    }

    private static void RequireUsual(UpgradeSettings settings, bool withRef = false)
    {
        Assert.True(settings.Reboots && (withRef || settings.Ref is null));
        Assert.Equal([false, true, true, false], new[] { -1, 0, 119, 120 }.Select(minute => settings.IsOpen(Night.AddMinutes(minute), TimeZoneInfo.Utc)));
    }
}
