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
