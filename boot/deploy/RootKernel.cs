using HackTree.Checkout;
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
/// <param name="Maker">The commit's program that makes its initrd before a root can boot it; null if there is an initrd.</param>
public sealed record RootKernel(string Version, bool IsShared, InitrdProgram? Maker = null)
{
    private static readonly string[] ModuleFolders = ["usr/lib/modules", "lib/modules"];

    /// <summary>The path of the kernel.</summary>
    internal string PathIn(string physical, string root) => Path.Combine(FolderOf(physical, root), BootFolder.KernelName(Version));

    /// <summary>The path of its initrd.</summary>
    internal string InitrdIn(string physical, string root) => Path.Combine(FolderOf(physical, root), BootFolder.InitrdName(Version));

    private string FolderOf(string physical, string root) => Path.Combine(physical, IsShared ? "" : root, ImageLayout.Boot);

    /// <summary>
    /// The kernel and its initrd, for a commit that need not be checked out yet. Each is read when the sequence comes to it. An initrd that is yet to be
    /// made is left out.
    /// </summary>
    internal IEnumerable<LoadedFile> FilesOf(ObjectStore store, Commit commit, string physical) =>
        new[] { BootFolder.KernelName(Version), BootFolder.InitrdName(Version) }
            .Take(Maker is null ? 2 : 1)
            .Select(name => $"{ImageLayout.Boot}/{name}")
            .Select(path =>
                IsShared ? LoadedFile.Read(Path.Combine(physical, path))
                : TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry) ? new LoadedFile(entry.Digest, entry.Size)
                : throw new StoreException($"/{path}: there is no such file in the commit"));

    /// <summary>The kernel that a new root of the commit will boot. Throws <see cref="UnbootableException"/> if there is none.</summary>
    internal static RootKernel Require(ObjectStore store, Commit commit, string revision, string boot)
    {
        Dictionary<string, long> shared = InitrdsIn(boot), own = InitrdsOf(store, commit, out List<string> bare);
        InitrdProgram? maker = bare.Count > 0 ? InitrdProgram.Find(store, commit) : null;
        if (Find(store, commit, shared, own, maker is null ? [] : bare) is { } kernel)
        {
            return shared.ContainsKey(kernel.Version) || own.ContainsKey(kernel.Version) ? kernel : kernel with { Maker = maker };
        }

        throw bare.Find(version => FindModules(store, commit, version) is not null) is { } lacking
            ? new UnbootableException(
                $"{revision} has the kernel {lacking} without an initrd, and no mkinitramfs or dracut that could make one; "
                + "build the commit with the package initramfs-tools")
            : Without(shared, own, revision, boot);
    }

    /// <summary>The kernel that a root boots, by the initrd that it has. Throws <see cref="UnbootableException"/> if there is none.</summary>
    internal static RootKernel RequireOf(ObjectStore store, Commit commit, string root, string physical)
    {
        string boot = Path.Combine(physical, ImageLayout.Boot);
        Dictionary<string, long> shared = InitrdsIn(boot), own = InitrdsIn(Path.Combine(physical, root, ImageLayout.Boot));
        return Find(store, commit, shared, own, []) ?? throw Without(shared, own, root, boot);
    }

    /// <summary>The directory of a kernel's modules in a commit; null if the commit has none.</summary>
    internal static Digest? FindModules(ObjectStore store, Commit commit, string version)
    {
        foreach (string folder in ModuleFolders)
        {
            if (TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument($"{folder}/{version}"), out TreeEntry entry) && entry.IsDirectory)
            {
                return entry.Digest;
            }
        }

        return null;
    }

    private static RootKernel? Find(ObjectStore store, Commit commit, Dictionary<string, long> shared, Dictionary<string, long> own, List<string> bare)
    {
        string[] all = [.. shared.Keys.Union(own.Keys).Union(bare)];
        Array.Sort(all, KernelVersion.Compare);
        string? version = Array.FindLast(all, version => FindModules(store, commit, version) is not null);
        return version is null ? null
            : new RootKernel(version, shared.TryGetValue(version, out long time) && time >= own.GetValueOrDefault(version, long.MinValue));
    }

    private static UnbootableException Without(Dictionary<string, long> shared, Dictionary<string, long> own, string subject, string boot)
    {
        string? newest = shared.Keys.Union(own.Keys).MaxBy(version => version, Comparer<string>.Create(KernelVersion.Compare));
        return new UnbootableException(newest is null
            ? $"neither {subject} nor {boot} has a kernel with an initrd (vmlinuz-VERSION and initrd.img-VERSION), so nothing could boot"
            : $"{subject} has no /usr/lib/modules/{newest}, and that is the kernel which would boot; build the commit with a kernel's package");
    }

    /// <summary>The versions of the kernels in a /boot, with the time of the initrd in seconds since 1970.</summary>
    private static Dictionary<string, long> InitrdsIn(string boot) => KernelVersion.In(boot).ToDictionary(
        version => version,
        version => new DateTimeOffset(File.GetLastWriteTimeUtc(Path.Combine(boot, BootFolder.InitrdName(version)))).ToUnixTimeSeconds());

    /// <summary>The versions of the kernels in a commit's /boot, with the time of the initrd.</summary>
    /// <param name="store">The store.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="bare">Those without an initrd.</param>
    private static Dictionary<string, long> InitrdsOf(ObjectStore store, Commit commit, out List<string> bare)
    {
        var found = new Dictionary<string, long>();
        bare = [];
        if (TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(ImageLayout.Boot), out TreeEntry boot) && boot.IsDirectory)
        {
            Tree tree = store.Packs.ReadTree(boot.Digest);
            foreach (TreeEntry entry in tree)
            {
                if (entry.Kind != EntryKind.Regular || BootFolder.VersionOf(ByteText.Quote(entry.Name)) is not { } version)
                {
                    continue;
                }

                TreeEntry initrd = tree.Find(ByteText.FromArgument(BootFolder.InitrdName(version)));
                if (initrd.Kind == EntryKind.Regular)
                {
                    found.Add(version, initrd.Metadata.ModifyTime);
                }
                else if (!initrd.Exists)
                {
                    bare.Add(version);
                }
            }
        }

        return found;
    }
}
