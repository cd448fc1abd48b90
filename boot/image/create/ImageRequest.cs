namespace HackTree.Boot;

/// <summary>Describes the image to make.</summary>
public sealed record ImageRequest
{
    /// <summary>The file to make. It must not exist.</summary>
    public required string Output { get; init; }

    /// <summary>The format of the file.</summary>
    public required DiskFormat Format { get; init; }

    /// <summary>Size of the disk in bytes.</summary>
    public long Size { get; init; } = 4L * 1024 * 1024 * 1024;

    /// <summary>Names of the roots. Each is a checkout of the tree.</summary>
    public IReadOnlyList<string> Roots { get; init; } = ["r0"];

    /// <summary>The root that boots if nobody chooses; null for the first.</summary>
    public string? DefaultRoot { get; init; }

    /// <summary>Whether the disk boots by UEFI (GPT, EFI system partition, systemd-boot) instead of BIOS (MBR, GRUB).</summary>
    public bool Uefi { get; init; }

    /// <summary>Further options for the kernel.</summary>
    public string KernelOptions { get; init; } = "";

    /// <summary>How long the boot menu waits, in seconds.</summary>
    public int MenuSeconds { get; init; } = 3;
}
