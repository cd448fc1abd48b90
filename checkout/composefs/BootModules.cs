using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>A kernel's module that mounting an image takes.</summary>
/// <param name="Name">The name of its file, which sorts in the order in which modules are loaded: 0-libcrc32c.ko.</param>
/// <param name="Content">The module, not compressed.</param>
internal sealed record BootModule(string Name, byte[] Content);

/// <summary>
/// Finds, for each kernel whose modules a commit has, those of EROFS, overlayfs and loop devices, which an initrd that was made elsewhere lacks.
/// modules.dep(5) tells where they are and what each needs; what is no module is in modules.builtin.
/// </summary>
internal static class BootModules
{
    private const string Index = "modules.dep";

    private static readonly string[] Folders = ["usr/lib/modules", "lib/modules"];

    // A loop device is not needed since Linux 6.12.
    private static readonly string[] Useful = ["loop"];
    private static readonly string[] Needed = ["erofs", "overlay"];

    /// <summary>The versions of the kernels whose modules a commit has.</summary>
    internal static List<string> KernelsOf(ObjectStore store, Commit commit)
    {
        var kernels = new List<string>();
        if (FindFolder(store, commit) is { } folder && TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument(folder), out TreeEntry modules))
        {
            foreach (TreeEntry entry in store.Packs.ReadTree(modules.Digest))
            {
                if (entry.IsDirectory && store.Packs.ReadTree(entry.Digest).Find(ByteText.FromArgument(Index)).Kind == EntryKind.Regular)
                {
                    kernels.Add(ByteText.ToArgument(entry.Name));
                }
            }
        }

        return kernels;
    }

    /// <summary>The modules of a kernel, in the order in which they are loaded.</summary>
    internal static IEnumerable<BootModule> Of(ObjectStore store, Commit commit, string kernel)
    {
        string folder = $"{FindFolder(store, commit)}/{kernel}";
        Dictionary<string, string[]> modules = ReadIndex(store, commit, folder);
        var paths = new List<string>();
        foreach (string name in Useful.Concat(Needed))
        {
            if (modules.Keys.FirstOrDefault(path => NameOf(path) == name) is { } path)
            {
                // What a module needs is listed from what it needs itself to what that needs.
                paths.AddRange(modules[path].Reverse().Append(path).Except(paths).ToList());
            }
        }

        return paths.Select((path, number) => new BootModule($"{number:D2}-{NameOf(path)}.ko", Read(store, commit, $"{folder}/{path}")));
    }

    /// <summary>Throws <see cref="StoreException"/> if a kernel of the commit cannot mount an image.</summary>
    internal static void Require(ObjectStore store, Commit commit, string kernel)
    {
        string folder = $"{FindFolder(store, commit)}/{kernel}";
        IEnumerable<string> all = Lines(store, commit, $"{folder}/modules.builtin").Concat(ReadIndex(store, commit, folder).Keys);
        var names = all.Select(NameOf).ToHashSet();
        if (Array.Find(Needed, name => !names.Contains(name)) is { } missing)
        {
            throw new StoreException(
                $"the kernel {kernel} has no module {missing} in the commit, nor has it that built in, so it cannot mount an image at boot");
        }
    }

    private static Dictionary<string, string[]> ReadIndex(ObjectStore store, Commit commit, string folder) =>
        Lines(store, commit, $"{folder}/{Index}")
            .Select(line => line.Split(':', 2))
            .Where(parts => parts.Length == 2)
            .DistinctBy(parts => parts[0])
            .ToDictionary(parts => parts[0], parts => parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The name of the module in a file such as kernel/fs/erofs/erofs.ko.xz.</summary>
    private static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..].Split(".ko")[0];

    private static string? FindFolder(ObjectStore store, Commit commit) =>
        Array.Find(Folders, folder => TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument(folder), out TreeEntry entry) && entry.IsDirectory);

    private static string[] Lines(ObjectStore store, Commit commit, string path) =>
        TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry) && entry.Kind == EntryKind.Regular
            ? Encoding.UTF8.GetString(store.Blobs.ReadAll(entry, path)).Split('\n')
            : [];

    private static byte[] Read(ObjectStore store, Commit commit, string path)
    {
        if (!TreeWalk.TryFollow(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry) || entry.Kind != EntryKind.Regular)
        {
            throw new StoreException($"/{path}: modules.dep names this module, and the commit does not have it");
        }

        using Stream unpacked = TarPacking.Open(new MemoryStream(store.Blobs.ReadAll(entry, path)));
        using var content = new MemoryStream();
        unpacked.CopyTo(content);
        return content.ToArray();
    }
}
