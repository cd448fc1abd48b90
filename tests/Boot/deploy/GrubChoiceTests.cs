using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Tests.Boot;

/// <summary>The choice in GRUB's environment block. What the menu does with it is modelled here; TrialBootTests runs the menu itself.</summary>
public sealed class GrubChoiceTests : BootChoiceTests
{
    private string Environment => At("boot/grub/grubenv");

    [Fact]
    public void A_disk_without_a_menu_that_counts_is_refused_in_one_sentence()
    {
        StoreException none = Assert.Throws<StoreException>(() => Choice);
        Assert.Contains("there is no ", none.Message, StringComparison.Ordinal);
        Directory.CreateDirectory(At("boot/grub"));
        File.WriteAllText(At("boot/grub/grub.cfg"), "menuentry Debian { linux /boot/vmlinuz }\n");
        StoreException other = Assert.Throws<StoreException>(() => Choice);
        Assert.Contains("counts no tries", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_commands_at_once_lose_no_change()
    {
        using var world = new DeployWorld();

        // The command has read the block when it waits. Meanwhile the block gets a variable of somebody else.
        world.Shell(
            """
            $H checkout -q --boot os r1
            exec 9< boot/grub; flock 9
            $H default -q r1 9<&- & pid=$!
            until grep -q -e "-> FLOCK.* $pid .*:$(stat -c %i boot/grub) " /proc/locks; do kill -0 $pid && sleep 0.05; done
            python3 - <<'END'
            block = open("boot/grub/grubenv", "rb").read()
            open("boot/grub/grubenv", "wb").write(block.replace(b"Block\n", b"Block\nother=1\n", 1)[:1024])
            END
            flock -u 9; wait $pid
            """);
        Assert.Equal("hacktree_default=r1\nhacktree_previous=r0\nother=1\n", world.Shell("grep -a = boot/grub/grubenv | sort"));

        // Each of these commands writes two variables.
        world.Shell("for i in 2 3 4; do $H checkout -q --boot os r$i; done; for i in 1 2 3 4; do $H default -q r$i & done; wait");
        string[] lines = world.Shell("grep -a = boot/grub/grubenv | sort").Split('\n');
        Assert.NotEqual(lines[0].Split('=')[1], lines[1].Split('=')[1]);
    }

    private protected override void MakeLoader()
    {
        Directory.CreateDirectory(At("boot/grub"));
        File.WriteAllText(At("boot/grub/grub.cfg"), new BootMenu("6.1", ["r0"], "r0", "root=UUID=1 ro", 5).GrubConfig());
        File.WriteAllText(Environment, GrubMenu.EmptyEnvironment);
    }

    private protected override string Start()
    {
        byte[] block = File.ReadAllBytes(Environment);
        string text = Encoding.Latin1.GetString(block), usual = Value(text, GrubMenu.DefaultName) ?? "r0";
        Assert.Equal(1024, block.Length);
        if (Value(text, GrubMenu.TrialName) is { } trial && int.Parse(Value(text, GrubMenu.TriesName)!, CultureInfo.InvariantCulture) is > 0 and int tries)
        {
            // GRUB writes into the file as it is.
            text = text.Replace($"{GrubMenu.TriesName}={tries}\n", $"{GrubMenu.TriesName}={tries - 1}\n", StringComparison.Ordinal);
            File.WriteAllBytes(Environment, Encoding.Latin1.GetBytes(text));
            return $"subroot={trial} subroot.trial subroot.fallback={usual} panic=10";
        }

        return $"subroot={usual}";
    }

    private static string? Value(string block, string name) =>
        Regex.Match(block, $"^{name}=(.+)$", RegexOptions.Multiline) is { Success: true } match ? match.Groups[1].Value : null;
}
