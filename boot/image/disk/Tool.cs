using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// A program that HackTree runs, and the Debian package that has it. The program's last errors become part of a sentence.
/// </summary>
internal sealed record Tool(string Name, string Package)
{
    internal static readonly Tool MakeExt4 = new("mkfs.ext4", "e2fsprogs");
    internal static readonly Tool DebugExt4 = new("debugfs", "e2fsprogs");
    internal static readonly Tool MakeFat = new("mkfs.vfat", "dosfstools");
    internal static readonly Tool CopyToFat = new("mcopy", "mtools");
    internal static readonly Tool GrubImage = new("grub-mkimage", "grub-common");
    internal static readonly Tool DiskImage = new("qemu-img", "qemu-utils");
    internal static readonly Tool Mount = new("mount", "mount");
    internal static readonly Tool Unmount = new("umount", "mount");
    internal static readonly Tool ChangeRoot = new("chroot", "coreutils");

    /// <summary>The path of the program. If there is none, throws <see cref="StoreException"/> that names the package to install.</summary>
    internal string Path =>
        ProgramRun.Find(Name) ?? throw new StoreException($"{Name} is not installed; install the package {Package} (apt install {Package})");

    /// <summary>Runs the program to its end and returns its output. Throws <see cref="StoreException"/> if it fails.</summary>
    internal string Run(params IReadOnlyList<string> arguments) => Run(CancellationToken.None, arguments);

    /// <summary>Runs a program that takes long. A request to stop ends the program.</summary>
    internal string Run(CancellationToken stop, params IReadOnlyList<string> arguments)
    {
        ProgramRun run = ProgramRun.Of([Path, .. arguments], stop: stop);
        return run.Succeeded ? run.Output : throw new StoreException($"{Name} failed: {run.LastWords}");
    }

    /// <summary>Runs the program to its end. Throws only if it cannot be started.</summary>
    internal ProgramRun TryRun(IReadOnlyList<string> arguments, string input = "", CancellationToken stop = default) =>
        ProgramRun.Of([Path, .. arguments], input, stop);
}
