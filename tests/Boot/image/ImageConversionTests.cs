using HackTree.Boot;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Converts a plain directory, interrupted before each step.</summary>
public sealed class ImageConversionTests : IDisposable
{
    private const string Uuid = "0a1b2c3d-0000-4000-8000-000000000001";

    private readonly ImageWorld world = new();
    private readonly string top;

    public ImageConversionTests()
    {
        Tools.Require("cpio");
        top = world.MakeSmallTree();
        File.WriteAllText(Path.Combine(top, "boot/grub/grub.cfg"), StockDisk.GrubConfig("6.1.0-10-test"));
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_system_is_moved_and_nothing_is_copied()
    {
        string[] before = Listing();
        Assert.True(Convert());
        string[] after = Listing();
        Assert.Equal(["boot", "hacktree-convert.json", "home", "r0", "var"], Directory.EnumerateFileSystemEntries(top).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        // Each line ends with the inode number.
        static string Inode(string line) => line[(line.LastIndexOf(' ') + 1)..];
        Assert.Empty(before.Select(Inode).Except(after.Select(Inode)));
        Assert.Contains(after, line => line.StartsWith("r0/var/lib/dpkg/status ", StringComparison.Ordinal));
        Assert.Contains(after, line => line.StartsWith("var/log/log ", StringComparison.Ordinal));
        Assert.Contains(after, line => line.StartsWith("r0/sysroot ", StringComparison.Ordinal));
        Assert.DoesNotContain(after, line => line.StartsWith("var/lib/dpkg/status ", StringComparison.Ordinal));
        string menu = File.ReadAllText(Path.Combine(top, "boot/grub/custom.cfg"));
        Assert.Contains($"root=UUID={Uuid} ro console=ttyS0 quiet subroot=", menu, StringComparison.Ordinal);
        Assert.Contains("if [ \"$1\" = r0 ]; then set hacktree_own=\"subroot.rw\"", menu, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(top, "boot/hacktree.cpio.gz")));
        Assert.False(Convert());
        Assert.True(Undo());
        Assert.Equal(before, Listing());
    }

    [Fact]
    public void A_conversion_interrupted_at_any_step_goes_on_or_back()
    {
        string[] before = Listing();
        Convert();
        string[] converted = Names();
        Undo();
        int steps = 0;
        for (bool isInterrupted = true; isInterrupted; steps++)
        {
            isInterrupted = Interrupted(steps, conversion => conversion.Run("r0"));
            Undo();
            Assert.Equal(before, Listing());
            Interrupted(steps, conversion => conversion.Run("r0"));
            Convert();
            Assert.Equal(converted, Names());

            // The way back may be interrupted too, and then goes forward again.
            Interrupted(steps, conversion => conversion.Undo());
            Undo();
            Assert.Equal(before, Listing());
            Convert();
            Interrupted(steps, conversion => conversion.Undo());
            Convert();
            Assert.Equal(converted, Names());
            Undo();
        }

        Assert.True(steps > 15, $"{steps} steps");
    }

    [Fact]
    public void Where_grub_cfg_reads_no_other_file_the_entry_stands_in_it_and_goes_again()
    {
        string file = Path.Combine(top, "boot/grub/grub.cfg");
        string[] lines = File.ReadAllLines(file);
        File.WriteAllLines(file, lines.TakeWhile(line => !line.StartsWith("if [ -f", StringComparison.Ordinal)));
        byte[] before = File.ReadAllBytes(file);
        Convert();
        Assert.StartsWith(File.ReadAllText(file)[..before.Length], System.Text.Encoding.UTF8.GetString(before), StringComparison.Ordinal);
        Assert.Contains("set hacktree_usual=r0", File.ReadAllText(file), StringComparison.Ordinal);
        Assert.Contains("set default=\"$next_entry\"", File.ReadAllText(file), StringComparison.Ordinal);
        Undo();
        Assert.Equal(before, File.ReadAllBytes(file));
    }

    [Theory]
    [InlineData("var/lib/dpkg/status", "package database")]
    [InlineData("boot/grub/grub.cfg", "no GRUB")]
    [InlineData("usr/share/initramfs-tools/init", "initramfs-tools")]
    [InlineData("usr/sbin/init", "no init")]
    public void A_system_that_lacks_something_is_refused_unchanged(string path, string reason)
    {
        Tools.Run("rm", "-r", Path.Combine(top, path)).Succeeded();
        string[] before = Listing();
        Assert.Contains(reason, Assert.Throws<StoreException>(() => Convert()).Message, StringComparison.Ordinal);
        Assert.Equal(before, Listing());
    }

    [Theory]
    [InlineData("/boot", "noauto")]
    [InlineData("/var", "defaults")]
    [InlineData("/usr/", "defaults")]
    public void A_system_with_a_part_on_a_filesystem_of_its_own_is_refused_unchanged(string point, string options)
    {
        File.WriteAllText(Path.Combine(top, "etc/fstab"), $"# a comment\nUUID=1 {point} ext4 {options} 0 2\n");
        string[] before = Listing();
        string said = Assert.Throws<StoreException>(() => Convert()).Message;
        Assert.Contains($"{point.TrimEnd('/')} is a filesystem of its own (line 2 of /etc/fstab)", said, StringComparison.Ordinal);
        Assert.Equal(before, Listing());
    }

    [Fact]
    public void Links_that_lead_out_of_an_image_are_not_followed()
    {
        Convert();
        string outside = world.At("outside");
        Directory.CreateDirectory(Path.Combine(outside, "lib/dpkg"));
        Directory.CreateDirectory(Path.Combine(outside, "grub"));
        foreach (string name in new[] { "r0/var", "var", "boot" })
        {
            string path = Path.Combine(top, name);
            Directory.Move(path, path + ".was");
            File.CreateSymbolicLink(path, outside);
            string[] before = Directory.GetFileSystemEntries(outside, "*", SearchOption.AllDirectories);
            Assert.ThrowsAny<Exception>(() => Undo());
            Assert.Equal(before, Directory.GetFileSystemEntries(outside, "*", SearchOption.AllDirectories));
            File.Delete(path);
            Directory.Move(path + ".was", path);
        }

        Assert.True(Undo());
    }

    [Theory]
    [InlineData("")]
    [InlineData("fi")]
    [InlineData("fi\n")]
    [InlineData("\n\n")]
    public void The_menu_goes_from_a_file_as_it_came(string text)
    {
        byte[] file = System.Text.Encoding.ASCII.GetBytes(text);
        string menu = InstalledGrub.Make(StockDisk.GrubConfig("6.1.0-10-test"), "r0", Uuid, "image");
        byte[] added = InstalledGrub.Add(file, menu);
        Assert.Contains("\n# hacktree: begin", System.Text.Encoding.ASCII.GetString(added), StringComparison.Ordinal);
        Assert.Equal(file, InstalledGrub.Remove(added));
        Assert.Equal(file, InstalledGrub.Remove(added[..^1]));
        Assert.Equal(added, InstalledGrub.Add(added, menu));
    }

    [Fact]
    public void A_damaged_journal_is_refused()
    {
        Convert();
        File.WriteAllText(Path.Combine(top, "hacktree-convert.json"), """{ "version": 1, "root": "../..", "state": "Done", "menuFile": "custom.cfg", "isMenuFileNew": true, "isPhysicalRootNew": true }""");
        Assert.Contains("damaged", Assert.Throws<StoreException>(() => Undo()).Message, StringComparison.Ordinal);
    }

    private bool Convert()
    {
        using var conversion = new ImageConversion(top, Uuid, "image");
        return conversion.Run("r0");
    }

    private bool Undo()
    {
        using var conversion = new ImageConversion(top, Uuid, "image");
        return conversion.Undo();
    }

    /// <summary>Stops before the step after <paramref name="steps"/> ones. Returns whether there was such a step.</summary>
    private bool Interrupted(int steps, Func<ImageConversion, bool> run)
    {
        int left = steps;
        using var conversion = new ImageConversion(top, Uuid, "image") { OnStep = what => _ = left-- == 0 ? throw new PowerCutException(what) : 0 };
        try
        {
            _ = run(conversion);
            return false;
        }
        catch (PowerCutException)
        {
            return true;
        }
    }

    private string[] Listing() => Find("%P %y %m %s %l %i\\n");

    private string[] Names() => Find("%P %y %m\\n");

    private string[] Find(string format) =>
        [.. Tools.Run("find", top, "-mindepth", "1", "-printf", format).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];

    private sealed class PowerCutException(string step) : Exception(step);
}
