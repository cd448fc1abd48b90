using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Starts a root on trial by kexec: the running kernel starts that of the root, without firmware and boot loader. No boot loader counts such a start, so
/// its try is taken here, right before it. A start that fails, in whatever way, ends in one by the firmware: the boot loader finds the tries that are
/// left, or starts the default.
/// </summary>
public static class Kexec
{
    // In memory, so what a killed process leaves is gone with the next start.
    private const string Folder = "/run/hacktree";
    private const string Initrd = $"{Folder}/kexec-initrd";

    private const string Instead = "deploy with --reboot instead";

    /// <summary>
    /// Throws <see cref="StoreException"/>, with the reason, if this system runs on no root of the store, or if its kernel starts no other one. Whether
    /// the kernel demands a signature is known only when one is loaded.
    /// </summary>
    public static void Require(ObjectStore store)
    {
        if (new BootableRoots(store).FindRunning() is null)
        {
            throw new StoreException("this system runs on no root of the store, so its kernel is not to start one; deploy without --kexec");
        }

        switch (Sys.TryLoadNoKernel())
        {
            case Errno.ENOSYS:
                throw new StoreException($"the running kernel cannot start another one (it was built without CONFIG_KEXEC_FILE); {Instead}");
            case Errno.EPERM:
                throw new StoreException(
                    $"the running kernel may not start another one (kexec_load_disabled in sysctl, or no right to restart the machine); {Instead}");
        }
    }

    /// <summary>
    /// Loads the kernel of a root that is on trial, takes one of its tries, and restarts into it. Throws <see cref="StoreException"/> if that fails; then
    /// the root is on trial with all its tries.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="root">The root's name.</param>
    /// <param name="restart">Ends this system, and has the loaded kernel started.</param>
    public static void Start(ObjectStore store, string root, Action restart)
    {
        var roots = new BootableRoots(store);
        var choice = BootChoice.Read(roots.Physical);
        if (!choice.IsOnTrial(root))
        {
            throw new StoreException($"{root} is not on trial any more: another command has just ended that");
        }

        int tries = choice.TriesLeft;
        Load(roots, choice, root);
        choice.Try(root, tries - 1);
        try
        {
            restart();
        }
        catch
        {
            _ = Sys.UnloadKernel();
            choice.Try(root, tries);
            throw;
        }
    }

    private static void Load(BootableRoots roots, BootChoice choice, string root)
    {
        RootKernel kernel = roots.KernelOf(root);
        string path = kernel.PathIn(roots.Physical, root);
        byte[] line = ByteText.FromArgument(choice.TrialLine(roots.Physical, root));
        WriteInitrd(kernel.InitrdIn(roots.Physical, root));
        try
        {
            using SafeFileHandle image = OpenPath.File(path, OpenFlags.ReadOnly), initrd = OpenPath.File(Initrd, OpenFlags.ReadOnly);
            Errno errno = Sys.LoadKernel(image, initrd, line);
            if (errno != Errno.None)
            {
                throw new StoreException(
                    $"{path}: the running kernel does not take it for a start by kexec: {Describe(errno)}; "
                    + $"{root} is on trial, and starts when the machine restarts");
            }
        }
        finally
        {
            File.Delete(Initrd);
        }
    }

    /// <summary>Writes the initrd and HackTree's segment as one file, with zeros between, as a boot loader puts them into memory.</summary>
    private static void WriteInitrd(string initrd)
    {
        byte[] own = File.ReadAllBytes(initrd);
        Directory.CreateDirectory(Folder);
        InitrdOutput.Write(Initrd, FileModes.PrivateFile, file =>
        {
            file.Append(own);
            file.Append(new byte[CpioHeader.Padding(own.Length)]);
            file.Append(InitrdPatch.Segment());
        });
    }

    private static string Describe(Errno errno)
    {
        const string Lockdown = "/sys/kernel/security/lockdown";
        bool isLocked = File.Exists(Lockdown) && !File.ReadAllText(Lockdown).Contains("[none]", StringComparison.Ordinal);
        return isLocked ? "it is locked down, and takes only a signed kernel" : LinuxException.Describe(errno);
    }
}
