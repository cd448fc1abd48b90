using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Merges packs when a commit has made one too many. Each commit makes a pack and each command opens all packs, some 50 µs for each, so without
/// this every command would become slower with every commit, until somebody runs gc.
/// </summary>
/// <remarks>
/// <para>
/// This runs beside readers, writers and gc's marking, and makes nobody wait. The new pack is durable before an old one goes, so every tree is in
/// a pack at every instant. Whoever listed an old pack and comes too late to open it lists again. A process that is killed leaves packs that have
/// the same content, which is no damage. Nothing is judged: what is dead is copied too, and stays until gc.
/// </para>
/// <para>
/// Which packs are merged is the rule of `git repack --geometric=2` (git-repack(1)): the smallest ones, as many as it takes until each pack that
/// stays is at least twice as long as all smaller ones together. So a tree is copied no more often than the packs double.
/// </para>
/// </remarks>
internal static class PackMerge
{
    /// <summary>More packs than this are merged.</summary>
    internal const int MostPacks = RepackPlan.MostPacks;

    /// <summary>The most bytes of packs that one merge reads. Longer packs stay as they are: a commit should not take seconds for them.</summary>
    private const long MostBytes = 64 * 1024 * 1024;

    /// <summary>
    /// Merges packs if there are many and no other process does it. A failure, such as a full disk or a damaged pack, and a request to stop leave
    /// the packs as they are: what the command was for is done, and gc and fsck will tell.
    /// </summary>
    internal static void RunIfMany(ObjectStore store)
    {
        try
        {
            if (store.Packs.Files.Count > MostPacks)
            {
                Run(store);
            }
        }
        catch (Exception e) when (e is LinuxException or CorruptException or OperationCanceledException)
        {
        }
    }

    private static void Run(ObjectStore store)
    {
        using SafeFileHandle? turn = store.Packs.TryTakeMergeTurn();
        if (turn is null)
        {
            return;
        }

        // Another process may have merged them right before.
        store.Packs.Forget();
        if (store.Packs.Files.Count <= MostPacks)
        {
            return;
        }

        List<PackFile> chosen = Choose(store.Packs.Files.Where(pack => !store.Packs.IsFixed(pack.Name)));
        if (chosen.Count < 2)
        {
            return;
        }

        Digest merged = Write(store, chosen);
        foreach (PackFile pack in chosen)
        {
            // The new pack may be what one of them was already.
            if (pack.Name != merged)
            {
                store.Packs.Remove(pack.Name);
            }
        }
    }

    private static List<PackFile> Choose(IEnumerable<PackFile> packs)
    {
        var sorted = packs.Select(pack => (Pack: pack, Size: pack.FileSize)).OrderBy(each => each.Size).ThenBy(each => each.Pack.Name).ToList();
        int count = 0;
        long smaller = 0;
        for (int i = 0; i < sorted.Count && smaller + sorted[i].Size <= MostBytes; i++)
        {
            if (sorted[i].Size < 2 * smaller)
            {
                count = i + 1;
            }

            smaller += sorted[i].Size;
        }

        return [.. sorted.Take(count).Select(each => each.Pack)];
    }

    private static Digest Write(ObjectStore store, List<PackFile> chosen)
    {
        using PackWriter target = store.Packs.NewPack();
        foreach (PackFile pack in chosen)
        {
            store.Stop.ThrowIfCancellationRequested();
            store.Packs.Copy(pack, target, _ => true);
        }

        return store.Packs.AddAlone(target);
    }
}
