using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Refuses a system that is no Debian that can be converted, before anything is changed.</summary>
internal static class StockSystem
{
    // Files that must exist, and what to say if one does not.
    private static readonly (string Path, string Meaning)[] Needed =
    [
        ("etc/debian_version", "it is no Debian root"),
        ("sbin/init", "it has no init"),
        ("var/lib/dpkg/status", "it has no package database"),
        ($"{InstalledGrub.Folder}/{InstalledGrub.MainFile}", "it has no GRUB"),
        ("usr/share/initramfs-tools/init", "it has no initramfs-tools; install that package in it"),
    ];

    // Directories that must be on the filesystem with /. GRUB reads /boot of that filesystem, and the rest moves into the root.
    private static readonly string[] Together = ["/boot", "/boot/grub", "/usr", "/etc", "/var", "/var/lib", "/var/lib/dpkg"];

    /// <summary>Throws <see cref="StoreException"/>, with the reason, for a system that cannot be converted.</summary>
    internal static void Require(string top, string root, string image)
    {
        // The fstab comes first: what it mounts elsewhere may have left old files here.
        if (Fstab.Read(top).FirstOrDefault(line => Together.Contains(line.Place)) is { } apart)
        {
            throw new StoreException(
                $"{image}: {apart.Place} is a filesystem of its own (line {apart.Number} of /{Fstab.Path}), and it must be on the filesystem with /; "
                + "copy its files there and take out the line first");
        }

        foreach ((string path, string meaning) in Needed)
        {
            if (!Exists(top, path))
            {
                throw new StoreException($"{image}: {meaning} (/{path} is missing)");
            }
        }

        foreach (string name in new[] { root, ImageLayout.Store })
        {
            if (Exists(top, name))
            {
                throw new StoreException(
                    $"{image}: there is a /{name} already; this looks like a disk with roots, or name another root with --root");
            }
        }

        foreach (string name in ImageLayout.Shared)
        {
            string path = Path.Combine(top, name);
            if (new FileInfo(path).LinkTarget is not null || !Directory.Exists(path))
            {
                throw new StoreException($"{image}: /{name} is not a directory, which it must be to be shared by roots");
            }
        }
    }

    /// <summary>Whether a name exists. A symbolic link counts, because outside of its system it may point anywhere.</summary>
    private static bool Exists(string top, string path) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(Path.Combine(top, path)), out _) == Errno.None;
}
