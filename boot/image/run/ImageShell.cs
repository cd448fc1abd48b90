using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Runs a command inside an image, which is mounted for that time.</summary>
public static class ImageShell
{
    /// <summary>
    /// Runs a command in the image and returns its exit code. Without a command it runs a shell. The working directory is the mount point, or the
    /// command runs in the root <paramref name="chroot"/> as if that root were booted. A request to stop ends the command; the image is
    /// unmounted in any case.
    /// </summary>
    public static int Run(string image, IReadOnlyList<string> command, string? chroot, CancellationToken stop) => MountedImage.Run(image, mounted =>
    {
        string directory = mounted.Path;
        if (chroot is not null)
        {
            directory = Path.Combine(mounted.Path, chroot);
            Prepare(image, mounted.Path, chroot);
        }

        string shell = chroot is null && Environment.GetEnvironmentVariable("SHELL") is { Length: > 0 } own && File.Exists(own) ? own : "/bin/sh";
        IReadOnlyList<string> words = command.Count > 0 ? command : [shell];
        return RunHere(chroot is null ? words : [Tool.ChangeRoot.Path, directory, .. words], directory, mounted.Path, stop);
    });

    private static int RunHere(IReadOnlyList<string> words, string directory, string mount, CancellationToken stop)
    {
        var start = new ProcessStartInfo(words[0], words.Skip(1)) { WorkingDirectory = directory };
        start.Environment["HACKTREE_IMAGE"] = mount;

        using Process process = ProgramRun.Start(start);
        using CancellationTokenRegistration killing = stop.Register(() => process.Kill(entireProcessTree: true));
        process.WaitForExit();
        stop.ThrowIfCancellationRequested();
        return process.ExitCode;
    }

    private static void Prepare(string image, string top, string chroot)
    {
        string root = Path.Combine(top, chroot);
        if (!ImageLayout.IsRootName(chroot) || new DirectoryInfo(root) is not { Exists: true, LinkTarget: null })
        {
            throw new StoreException($"{image}: there is no root /{chroot} in it; `hacktree image edit {image} -- ls` shows what is");
        }

        if (RootImage.Is(root))
        {
            throw new StoreException($"{image}: /{chroot} in it is an image, in which no shell can be run; `hacktree mount` shows such a root");
        }

        // This comes before /var is mounted in the root, because the root keeps its own package database.
        string database = Path.Combine(top, ImageLayout.PackageDatabase);
        Bind(Path.Combine(root, ImageLayout.PackageDatabase), database);
        RootRecord? record = FindRecord(top, root);
        bool isConverted = record is null && ConversionJournal.Read(top, image)?.Root == chroot;
        bool ownsFiles = record is { Method: CheckoutMethod.Copy or CheckoutMethod.Reflink } || isConverted;
        if (!ownsFiles)
        {
            Protect(root, ownsEtc: record?.OwnsEtc == true);
            if (Directory.Exists(Path.Combine(root, ImageLayout.PackageDatabase)))
            {
                Tool.Mount.Run("-o", "remount,bind,ro", database);
            }
        }

        foreach (string name in ImageLayout.Shared)
        {
            Bind(Path.Combine(top, name), Path.Combine(root, name));
        }

        foreach (string name in new[] { "proc", "sys", "dev" })
        {
            Bind($"/{name}", Path.Combine(root, name));
        }
    }

    /// <summary>Makes the root read-only, as at boot: its files are also files of the store and of other roots.</summary>
    private static void Protect(string root, bool ownsEtc)
    {
        if (ownsEtc)
        {
            Bind(Path.Combine(root, "etc"), Path.Combine(root, "etc"));
        }

        Bind(root, root);
        Tool.Mount.Run("-o", "remount,bind,ro", root);
        Tool.Mount.Run("-t", "tmpfs", "tmpfs", Path.Combine(root, "tmp"));
    }

    private static RootRecord? FindRecord(string top, string root)
    {
        string path = Path.Combine(top, ImageLayout.Store);
        if (!ObjectStore.IsStore(path))
        {
            return null;
        }

        using ObjectStore store = ObjectStore.Open(path);
        return store.Roots.FindByPath(root);
    }

    private static void Bind(string source, string target)
    {
        if (Directory.Exists(source) && Directory.Exists(target))
        {
            Tool.Mount.Run("--rbind", source, target);
        }
    }
}
