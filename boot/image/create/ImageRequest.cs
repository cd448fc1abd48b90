namespace HackTree.Boot;

/// <summary>What a new image will be.</summary>
public sealed record ImageRequest
{
    /// <summary>The file to make; it must not be there.</summary>
    public required string Output { get; init; }

    /// <summary>How the disk lies in the file.</summary>
    public required DiskFormat Format { get; init; }

    /// <summary>Size of the disk in bytes.</summary>
    public long Size { get; init; } = 4L * 1024 * 1024 * 1024;

    /// <summary>Names of the roots, each a checkout of the tree.</summary>
    public IReadOnlyList<string> Roots { get; init; } = ["r0"];

    /// <summary>The root that boots when nobody chooses; the first where null.</summary>
    public string? DefaultRoot { get; init; }

    /// <summary>Whether it boots by UEFI (GPT, EFI system partition, systemd-boot) in place of BIOS (MBR, GRUB).</summary>
    public bool Uefi { get; init; }

    /// <summary>More options for the kernel.</summary>
    public string KernelOptions { get; init; } = "";

    /// <summary>How long the boot menu waits, in seconds.</summary>
    public int MenuSeconds { get; init; } = 3;
}
