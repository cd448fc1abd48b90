using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Runs a root's own hacktree in the root, in a mount namespace of its own, with the physical root at /sysroot as at boot. A root that is an image is
/// mounted by the program that mounts it at boot.
/// </summary>
internal static class RootProgram
{
    // $1: the physical root, $2: the root, $3: for an image, a directory with mount-image, $4: the store's name, $5: the program, $6: the command.
    private const string Enter =
        """
        set -e
        top=$1/$2
        if [ -f "$top/hacktree.erofs" ]; then
            mkdir "$3/here"
            # Programs may be forbidden where $3 is.
            mount -t tmpfs -o mode=700 hacktree "$3/here"
            mkdir "$3/here/root"
            cp "$3/mount-image" "$3/here"
            modprobe -q loop || true
            "$3/here/mount-image" "$top/hacktree.erofs" "$1/$4/files" "$3/here/root" "hacktree:/$2" - \
                || { echo "its image cannot be mounted here: error $?" >&2; exit 1; }
            mount --bind "$top/etc" "$3/here/root/etc"
            top=$3/here/root
        fi
        mount --rbind "$1" "$top/sysroot"
        echo entered
        exec chroot "$top" "/$5" --store "/sysroot/$4" $6
        """;

    /// <summary>Runs a command of the program. Throws <see cref="StoreException"/> if this system cannot run programs there.</summary>
    /// <param name="store">The store.</param>
    /// <param name="root">The root's name.</param>
    /// <param name="program">The path of the program in the root, without a slash in front.</param>
    /// <param name="command">The words of the command.</param>
    internal static ProgramRun Run(ObjectStore store, string root, string program, string command)
    {
        if (!RootImage.Is(Path.Combine(store.PhysicalRoot, root)))
        {
            return Run(store, root, "", program, command);
        }

        DirectoryInfo place = Directory.CreateTempSubdirectory("hacktree-");
        try
        {
            using (SafeFileHandle directory = OpenPath.Directory(place.FullName))
            {
                DurableFile.Write(directory, "mount-image"u8, BootFiles.Read("native/mount-image"), FileModes.Program, place.FullName);
            }

            return Run(store, root, place.FullName, program, command);
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    private static ProgramRun Run(ObjectStore store, string root, string mounter, string program, string command)
    {
        string unshare = new Tool("unshare", "util-linux").Path, physical = store.PhysicalRoot, name = Path.GetFileName(store.Path);
        ProgramRun run = ProgramRun.Of([unshare, "--mount", "sh", "-c", Enter, "sh", physical, root, mounter, name, program, command], stop: store.Stop);
        string path = Path.Combine(physical, root);
        return run.Output.StartsWith("entered\n", StringComparison.Ordinal)
            ? run
            : throw new StoreException($"{path}: no program could be run in there, to see whether the root is whole: {run.LastWords}");
    }
}
