using System.Globalization;
using System.Text;

namespace HackTree.Boot;

/// <summary>What a disk offers at boot: one entry for each root, all with one kernel.</summary>
/// <param name="Version">The kernel's version, as in vmlinuz-VERSION.</param>
/// <param name="Roots">The roots.</param>
/// <param name="DefaultRoot">The one that boots when nobody chooses.</param>
/// <param name="Options">The kernel's options but subroot=.</param>
/// <param name="Seconds">How long the menu waits.</param>
internal sealed record BootMenu(string Version, IReadOnlyList<string> Roots, string DefaultRoot, string Options, int Seconds)
{
    internal string Kernel => $"vmlinuz-{Version}";

    internal string Initrd => $"initrd.img-{Version}";

    /// <summary>The options for a root.</summary>
    internal string OptionsFor(string root) => $"{Options} subroot={root}";

    /// <summary>GRUB's configuration. The serial port comes first: virtual machines often have nothing else.</summary>
    internal string GrubConfig()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            # Made by `hacktree image create`.
            if serial --unit=0 --speed=115200; then
                terminal_input serial console
                terminal_output serial console
            fi
            set default={{DefaultRoot}}
            set timeout={{Seconds}}
            {{Choice}}

            """);
        foreach (string root in Roots)
        {
            text.Append(CultureInfo.InvariantCulture, $$"""

                menuentry '{{root}}' --id {{root}} {
                    linux /boot/{{Kernel}} {{OptionsFor(root)}} $hacktree_more
                    initrd /boot/{{Initrd}}
                }

                """);
        }

        return text.ToString();
    }

    /// <summary>The files of systemd-boot: path on the EFI system partition and text.</summary>
    internal IEnumerable<(string Path, string Text)> LoaderFiles()
    {
        yield return ("loader/loader.conf", $"default {DefaultRoot}.conf\ntimeout {Seconds}\nconsole-mode keep\n");
        foreach (string root in Roots)
        {
            yield return ($"loader/entries/{root}.conf", $"title {root}\nversion {Version}\nlinux /{Kernel}\ninitrd /{Initrd}\noptions {OptionsFor(root)}\n");
        }
    }

    /// <summary>
    /// GRUB commands that let who starts a virtual machine choose: an OEM string of the SMBIOS, the last one of type 11, that reads
    /// "hacktree:ROOT:MORE KERNEL OPTIONS" (<see cref="SmbiosText"/>). In conditions, because a command that fails there is not reported.
    /// </summary>
    internal const string Choice = """
        if smbios --type 11 --get-string 4 --set hacktree_string; then
            if regexp --set 1:hacktree_root --set 2:hacktree_more '^hacktree:([^:]*):(.*)$' "$hacktree_string"; then
                if [ -n "$hacktree_root" ]; then set default="$hacktree_root"; fi
            fi
        fi
        """;

    /// <summary>The string that <see cref="Choice"/> reads.</summary>
    internal static string SmbiosText(string? root, string more) => $"hacktree:{root}:{more}";
}
