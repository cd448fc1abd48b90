namespace HackTree.Boot;

/// <summary>
/// The boot menu of a disk. GRUB finds roots and kernels by itself, even those made later. systemd-boot offers the roots that the disk was
/// made with.
/// </summary>
/// <param name="Version">The kernel's version, as in vmlinuz-VERSION.</param>
/// <param name="Roots">The roots, for systemd-boot.</param>
/// <param name="DefaultRoot">The root that boots if nobody chooses.</param>
/// <param name="Options">The kernel's options, except subroot=.</param>
/// <param name="Seconds">How long the menu waits.</param>
internal sealed record BootMenu(string Version, IReadOnlyList<string> Roots, string DefaultRoot, string Options, int Seconds)
{
    internal string Kernel => $"vmlinuz-{Version}";

    internal string Initrd => $"initrd.img-{Version}";

    /// <summary>GRUB's configuration. The serial port comes first, because virtual machines often have nothing else.</summary>
    internal string GrubConfig() =>
        $$"""
        # Made by `hacktree image create`.
        if serial --unit=0 --speed=115200; then
            terminal_input serial console
            terminal_output serial console
        fi
        set timeout={{Seconds}}
        {{GrubMenu.Commands(DefaultRoot, Options)}}

        """;

    /// <summary>The files of systemd-boot: each path on the EFI system partition, with its text.</summary>
    internal IEnumerable<(string Path, string Text)> LoaderFiles()
    {
        yield return ("loader/loader.conf", $"default {DefaultRoot}.conf\ntimeout {Seconds}\nconsole-mode keep\n");
        foreach (string root in Roots)
        {
            string kernel = $"linux /{Kernel}\ninitrd /{Initrd}\noptions {Options} subroot={root}\n";
            yield return ($"loader/entries/{root}.conf", $"title {root}\nversion {Version}\n{kernel}");
        }
    }
}
