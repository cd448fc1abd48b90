using HackTree.Checkout;

namespace HackTree.Boot;

/// <summary>The places and names of files on a bootable disk.</summary>
internal static class ImageLayout
{
    internal const string Store = "objects";
    internal const string Boot = "boot";
    internal const string Home = "home";
    internal const string Var = "var";

    /// <summary>The package database. It belongs to a tree, not to the /var that roots share.</summary>
    internal const string PackageDatabase = "var/lib/dpkg";

    /// <summary>The path of the physical root in a running system.</summary>
    internal const string PhysicalRoot = "sysroot";

    /// <summary>Why the path of an image, or of what goes into one, must be text.</summary>
    internal const string WhyText = "because the programs that make and read images are given it";

    internal const string FilesystemRoot = "lost+found";

    /// <summary>The first MiB holds the partition table and GRUB, as on disks that fdisk makes.</summary>
    internal const long FirstPartition = MiB;

    internal const long MiB = 1024 * 1024;

    /// <summary>Directories at the top of the physical root that roots share. They are mounted in each root.</summary>
    internal static readonly string[] Shared = [.. MountPoints.Showing(MountedPlace.Shared)];

    /// <summary>The disk of an image for BIOS: one Linux partition.</summary>
    internal static Partition Linux(long size) => new(1, FirstPartition, size - FirstPartition);

    /// <summary>
    /// The disk of an image for UEFI: an EFI system partition and a Linux partition. The copy of the GPT comes after them.
    /// </summary>
    internal static (Partition Efi, Partition Linux) WithEfi(long size, long efiLength)
    {
        long linux = FirstPartition + efiLength;
        return (new Partition(1, FirstPartition, efiLength), new Partition(2, linux, size - linux - MiB));
    }

    /// <summary>
    /// Whether a root can have the name: one path component that needs no quoting on the kernel's command line and in boot menus. The name
    /// must not begin with a digit, because GRUB would take it for the number of an entry.
    /// </summary>
    internal static bool IsRootName(string name) =>
        name.Length is > 0 and <= 64
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
        && (char.IsAsciiLetter(name[0]) || name[0] == '_')
        && name is not (Store or PhysicalRoot)
        && !Shared.Contains(name);
}
