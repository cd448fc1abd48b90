using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The directory boot/ of a root: the names of kernels and their initrds, and the initrd that a root has where its commit has a kernel and none. That
/// initrd is the only file, beside those in /etc, that a root made to be booted has and its commit has not.
/// </summary>
public static class BootFolder
{
    /// <summary>The directory's name.</summary>
    public const string Name = "boot";

    private const string KernelPrefix = "vmlinuz-";
    private const string InitrdPrefix = "initrd.img-";

    /// <summary>The name of the file of a kernel with that version.</summary>
    public static string KernelName(string version) => KernelPrefix + version;

    /// <summary>The name of the file with that kernel's initrd.</summary>
    public static string InitrdName(string version) => InitrdPrefix + version;

    /// <summary>The version in the name of a kernel's file; null for another name.</summary>
    public static string? VersionOf(string kernel) => kernel.StartsWith(KernelPrefix, StringComparison.Ordinal) ? kernel[KernelPrefix.Length..] : null;

    /// <summary>Whether a name is that of the initrd of a kernel which a commit's boot/ has without an initrd.</summary>
    internal static bool IsOwnInitrd(TreeIndex boot, ReadOnlySpan<byte> name)
    {
        ReadOnlySpan<byte> prefix = "initrd.img-"u8;
        return name.StartsWith(prefix) && !boot.Find(name).Exists && boot.Find([.. "vmlinuz-"u8, .. name[prefix.Length..]]).Kind == EntryKind.Regular;
    }

    /// <summary>Whether the root of a commit at that path has an initrd that the commit lacks.</summary>
    internal static bool HasOwnInitrd(ObjectStore store, Commit commit, string root)
    {
        string folder = Path.Combine(root, Name);
        if (!TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(Name), out TreeEntry boot) || !boot.IsDirectory || !Directory.Exists(folder))
        {
            return false;
        }

        var committed = new TreeIndex(store.Packs.ReadTree(boot.Digest));
        return Directory.EnumerateFiles(folder).Any(path => IsOwnInitrd(committed, ByteText.FromArgument(Path.GetFileName(path))));
    }

    /// <summary>
    /// Gives a tree that has boot/ a file as its initrd, by one more name of the file. The time of boot/ tells of the change, so a check of the root looks
    /// into it.
    /// </summary>
    /// <param name="tree">The tree.</param>
    /// <param name="initrd">The path of the file, on the tree's filesystem. It has the initrd's name.</param>
    internal static void PutInitrd(in WholeTree tree, string initrd)
    {
        string name = Path.GetFileName(initrd), subject = Path.Combine(tree.Subject, Name, name);
        Sys.OpenBeneath(tree.Top, ByteText.FromArgument(Name), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle boot)
            .ThrowIfFailed("openat2", subject);
        using (boot)
        {
            Sys.Link(Sys.WorkingDirectory, ByteText.FromArgument(initrd), boot, ByteText.FromArgument(name)).ThrowIfFailed("linkat", subject);
        }
    }
}
