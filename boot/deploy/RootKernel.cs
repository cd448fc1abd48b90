using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The kernel that a root boots: the newest one, of the root's own /boot or the shared one, whose modules the root has. Of two with one version, it
/// is the one with the newer initrd: an initrd that was made anew in the running system is in the shared /boot, and a commit has its own. Roots with
/// one kernel share its file, as they share all files. GRUB's menu chooses in the same way (<see cref="GrubMenu"/>).
/// </summary>
/// <param name="Version">The version, as in vmlinuz-VERSION.</param>
/// <param name="IsShared">Whether it is in the shared /boot, and not in the root's own.</param>
public sealed record RootKernel(string Version, bool IsShared)
{
    private static readonly string[] ModuleFolders = ["usr/lib/modules", "lib/modules"];

    /// <summary>The path of the kernel.</summary>
    internal string PathIn(string physical, string root) => Path.Combine(FolderOf(physical, root), KernelVersion.KernelName(Version));

    /// <summary>The path of its initrd.</summary>
    internal string InitrdIn(string physical, string root) => Path.Combine(FolderOf(physical, root), KernelVersion.InitrdName(Version));

    private string FolderOf(string physical, string root) => Path.Combine(physical, IsShared ? "" : root, ImageLayout.Boot);

    /// <summary>The kernel and its initrd, for a commit that need not be checked out yet. Each is read when the sequence comes to it.</summary>
    internal IEnumerable<LoadedFile> FilesOf(ObjectStore store, Commit commit, string physical) =>
        new[] { KernelVersion.KernelName(Version), KernelVersion.InitrdName(Version) }.Select(name => $"{ImageLayout.Boot}/{name}").Select(path =>
            IsShared ? LoadedFile.Read(Path.Combine(physical, path))
            : TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry) ? new LoadedFile(entry.Digest, entry.Size)
            : throw new StoreException($"/{path}: there is no such file in the commit"));

    /// <summary>The kernel that a root of the commit will boot. Throws <see cref="UnbootableException"/> if there is none.</summary>
    internal static RootKernel Require(ObjectStore store, Commit commit, string revision, string boot)
    {
        Dictionary<string, long> shared = InitrdsIn(boot), own = InitrdsOf(store, commit);
        string[] all = [.. shared.Keys.Union(own.Keys)];
        Array.Sort(all, KernelVersion.Compare);
        string? version = Array.FindLast(all, version => HasModules(store, commit, version));
        if (version is null)
        {
            throw new UnbootableException(all.Length == 0
                ? $"neither {revision} nor {boot} has a kernel with an initrd (vmlinuz-VERSION and initrd.img-VERSION), so nothing could boot"
                : $"{revision} has no /usr/lib/modules/{all[^1]}, and that is the kernel which would boot; build the commit with a kernel's package");
        }

        return new RootKernel(version, shared.TryGetValue(version, out long time) && time >= own.GetValueOrDefault(version, long.MinValue));
    }

    /// <summary>The versions of the kernels in a /boot, with the time of the initrd in seconds since 1970.</summary>
    private static Dictionary<string, long> InitrdsIn(string boot) => KernelVersion.In(boot).ToDictionary(
        version => version,
        version => new DateTimeOffset(File.GetLastWriteTimeUtc(Path.Combine(boot, KernelVersion.InitrdName(version)))).ToUnixTimeSeconds());

    private static Dictionary<string, long> InitrdsOf(ObjectStore store, Commit commit)
    {
        var found = new Dictionary<string, long>();
        if (TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(ImageLayout.Boot), out TreeEntry boot) && boot.IsDirectory)
        {
            Tree tree = store.Packs.ReadTree(boot.Digest);
            foreach (TreeEntry entry in tree)
            {
                if (entry.Kind == EntryKind.Regular
                    && KernelVersion.OfKernel(ByteText.Quote(entry.Name)) is { } version
                    && tree.Find(ByteText.FromArgument(KernelVersion.InitrdName(version))) is { Kind: EntryKind.Regular } initrd)
                {
                    found.Add(version, initrd.Metadata.ModifyTime);
                }
            }
        }

        return found;
    }

    private static bool HasModules(ObjectStore store, Commit commit, string version) =>
        Array.Exists(ModuleFolders, folder =>
            TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument($"{folder}/{version}"), out TreeEntry entry) && entry.IsDirectory);
}
