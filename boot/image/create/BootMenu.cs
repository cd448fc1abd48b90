using HackTree.Checkout;

namespace HackTree.Boot;

/// <summary>
/// The boot menu of a disk. GRUB finds roots and kernels by itself, even those made later. systemd-boot needs an entry for each root.
/// </summary>
/// <param name="Version">The kernel's version, as in vmlinuz-VERSION.</param>
/// <param name="Roots">The roots, for systemd-boot.</param>
/// <param name="DefaultRoot">The root that boots if nobody chooses.</param>
/// <param name="Options">The kernel's options, except subroot=.</param>
/// <param name="Seconds">How long the menu waits.</param>
internal sealed record BootMenu(string Version, IReadOnlyList<string> Roots, string DefaultRoot, string Options, int Seconds)
{
    internal string Kernel => BootFolder.KernelName(Version);

    internal string Initrd => BootFolder.InitrdName(Version);

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

    /// <summary>Writes the files of systemd-boot: its configuration, the kernel and the initrd, and an entry for each root.</summary>
    /// <param name="folder">The top of the EFI system partition.</param>
    /// <param name="boot">The directory with the kernel and the initrd.</param>
    internal void WriteLoaderFiles(string folder, string boot)
    {
        Directory.CreateDirectory(Path.Combine(folder, "loader/entries"));
        File.WriteAllText(Path.Combine(folder, "loader/loader.conf"), $"timeout {Seconds}\nconsole-mode keep\n");
        var efi = new EfiFolder(folder);
        IReadOnlyList<string> files = efi.Add(Path.Combine(boot, Kernel), Path.Combine(boot, Initrd));
        foreach (string root in Roots)
        {
            long rank = root == DefaultRoot ? 1 : 0;
            efi.Write(new LoaderEntry { Root = root, Rank = rank, Kernel = files[0], Initrds = [.. files.Skip(1)], Options = Options });
        }
    }
}
