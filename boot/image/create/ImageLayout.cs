using HackTree.Checkout;

namespace HackTree.Boot;

/// <summary>Where things lie on a disk that boots, and what they are called.</summary>
internal static class ImageLayout
{
    internal const string Store = "objects";
    internal const string Boot = "boot";
    internal const string Home = "home";
    internal const string Var = "var";

    /// <summary>The package database belongs to a tree, not to the /var that roots share.</summary>
    internal const string PackageDatabase = "var/lib/dpkg";

    /// <summary>Where a running system sees the physical root.</summary>
    internal const string PhysicalRoot = "sysroot";

    internal const string FilesystemRoot = "lost+found";

    /// <summary>The first MiB holds the table and GRUB, as on any disk that fdisk made.</summary>
    internal const long FirstPartition = MiB;

    internal const long MiB = 1024 * 1024;

    /// <summary>What roots share: directories at the top of the physical root, bound into each.</summary>
    internal static readonly string[] Shared = [.. MountPoints.Showing(MountedPlace.Shared)];

    /// <summary>The disk of an image for BIOS: one Linux partition.</summary>
    internal static Partition Linux(long size) => new(1, FirstPartition, size - FirstPartition);

    /// <summary>The disk of an image for UEFI: an EFI system partition and a Linux one, before the GPT's copy at the end.</summary>
    internal static (Partition Efi, Partition Linux) WithEfi(long size, long efiLength)
    {
        long linux = FirstPartition + efiLength;
        return (new Partition(1, FirstPartition, efiLength), new Partition(2, linux, size - linux - MiB));
    }

    /// <summary>
    /// Whether the name can be a root's: one path component that the kernel's command line and boot menus take as it is. A name may not begin
    /// with a digit, because GRUB would take the name for the number of an entry.
    /// </summary>
    internal static bool IsRootName(string name) =>
        name.Length is > 0 and <= 64
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
        && (char.IsAsciiLetter(name[0]) || name[0] == '_')
        && name is not (Store or PhysicalRoot)
        && !Shared.Contains(name);
}
