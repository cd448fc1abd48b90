namespace HackTree.Boot;

/// <summary>How to boot an image.</summary>
public sealed record QemuRequest
{
    /// <summary>The image.</summary>
    public required string Image { get; init; }

    /// <summary>The root to boot; null to let the boot menu choose.</summary>
    public string? Subroot { get; init; }

    /// <summary>Whether the machine has UEFI firmware instead of a BIOS.</summary>
    public bool Uefi { get; init; }

    /// <summary>Further options for the kernel.</summary>
    public string Append { get; init; } = "";

    /// <summary>Memory in MiB.</summary>
    public int Megabytes { get; init; } = 1024;

    /// <summary>A kernel to boot instead of the one on the disk; null for the one on the disk.</summary>
    public string? Kernel { get; init; }

    /// <summary>The initrd of <see cref="Kernel"/>.</summary>
    public string? Initrd { get; init; }

    /// <summary>A file for what the machine writes to its second serial port (/dev/ttyS1). Null for a machine without that port.</summary>
    public string? Report { get; init; }

    /// <summary>Whether a machine that starts again is switched off instead.</summary>
    public bool NoReboot { get; init; }

    /// <summary>Called when the machine starts; may be null.</summary>
    public Action? OnStart { get; init; }

    /// <summary>Whether to discard everything that the machine writes.</summary>
    public bool Snapshot { get; init; }
}
