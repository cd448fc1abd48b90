using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The initrd of a root whose commit has a kernel in /boot and no initrd for that. It is the only file that such a root has beside its commit's and
/// /etc.
/// </summary>
public static class RootInitrd
{
    /// <summary>The directory of kernels and initrds.</summary>
    public const string Folder = "boot";

    private const string KernelPrefix = "vmlinuz-";
    private const string Prefix = "initrd.img-";

    /// <summary>The name of the file of a kernel with that version.</summary>
    public static string KernelOf(string version) => KernelPrefix + version;

    /// <summary>The name of the file of that kernel's initrd.</summary>
    public static string NameOf(string version) => Prefix + version;

    /// <summary>The version in the name of a kernel's file; null for another name.</summary>
    public static string? VersionOf(string kernel) => kernel.StartsWith(KernelPrefix, StringComparison.Ordinal) ? kernel[KernelPrefix.Length..] : null;

    /// <summary>Whether a name that a commit's /boot lacks is that of the initrd of a kernel there.</summary>
    internal static bool IsMade(TreeIndex boot, ReadOnlySpan<byte> name) =>
        name.StartsWith("initrd.img-"u8) && boot.Find([.. "vmlinuz-"u8, .. name["initrd.img-"u8.Length..]]).Kind == EntryKind.Regular;

    /// <summary>Whether the root of a commit at that path has an initrd that the commit lacks.</summary>
    internal static bool IsIn(ObjectStore store, Commit commit, string path)
    {
        if (!TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(Folder), out TreeEntry boot) || !boot.IsDirectory)
        {
            return false;
        }

        Tree tree = store.Packs.ReadTree(boot.Digest);
        foreach (TreeEntry entry in tree)
        {
            if (VersionOf(ByteText.ToArgument(entry.Name)) is { } version
                && !tree.Find(ByteText.FromArgument(NameOf(version))).Exists
                && File.Exists(Path.Combine(path, Folder, NameOf(version))))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Gives the tree the file at that path as its initrd, as one more name of the file. The directory keeps the time of this change, so that whoever
    /// compares the root with its commit lists the directory.
    /// </summary>
    internal static void Put(in WholeTree tree, string initrd)
    {
        string subject = Path.Combine(tree.Subject, Folder, Path.GetFileName(initrd));
        Sys.OpenBeneath(tree.Top, ByteText.FromArgument(Folder), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle boot)
            .ThrowIfFailed("openat2", subject);
        using (boot)
        {
            Sys.Link(Sys.WorkingDirectory, ByteText.FromArgument(initrd), boot, ByteText.FromArgument(Path.GetFileName(initrd)))
                .ThrowIfFailed("linkat", subject);
        }
    }
}
