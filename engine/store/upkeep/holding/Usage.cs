using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>The space that the newest commit of a ref uses.</summary>
/// <param name="Name">The ref.</param>
/// <param name="Commit">Its commit.</param>
/// <param name="Files">The number of entries that are not directories.</param>
/// <param name="Bytes">Bytes of content of a full copy: a file counts once for each name.</param>
/// <param name="DistinctBytes">Bytes of content of the objects that it uses, each object once.</param>
/// <param name="UniqueBytes">Bytes of content of those objects that no other ref's newest commit uses.</param>
/// <param name="FreedBytes">Space on disk that gc would free in files/ if just this ref were deleted, with its history.</param>
public sealed record RefUsage(string Name, Digest Commit, long Files, long Bytes, long DistinctBytes, long UniqueBytes, long FreedBytes);

/// <summary>The space that a root keeps in the store.</summary>
/// <param name="Name">The name of its record.</param>
/// <param name="Record">Its record.</param>
/// <param name="FreedBytes">Space on disk that gc would free in files/ if just this root were removed.</param>
public sealed record RootUsage(string Name, RootRecord Record, long FreedBytes);

/// <summary>du: what takes the store's space, and what sharing saves.</summary>
public sealed class Usage
{
    private readonly Lock gate = new();

    /// <summary>The number of objects under files/.</summary>
    public long Objects { get; private set; }

    /// <summary>The sum of their sizes.</summary>
    public long ObjectBytes { get; private set; }

    /// <summary>The sum of their space on disk (st_blocks). Extents that reflinks share count each time.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>The number of packs.</summary>
    public int Packs { get; private set; }

    /// <summary>The sum of their sizes.</summary>
    public long PackBytes { get; private set; }

    /// <summary>The number of images that commits are mounted from.</summary>
    public int Images { get; private set; }

    /// <summary>The sum of their sizes.</summary>
    public long ImageBytes { get; private set; }

    /// <summary>The newest commit of each ref, ordered by the refs' names.</summary>
    public IReadOnlyList<RefUsage> Refs { get; private set; } = [];

    /// <summary>The roots that exist, ordered by the names of their records.</summary>
    public IReadOnlyList<RootUsage> Roots { get; private set; } = [];

    /// <summary>The number of roots that are hardlinks into the store.</summary>
    public int HardlinkedRoots => Roots.Count(root => root.Record.Method == CheckoutMethod.Hardlink);

    /// <summary>
    /// Bytes that sharing saves: the size of separate copies of each tree that refs name and of each hardlinked root, minus the size of the objects
    /// that they use together. Refs to one tree are one copy. Each copy counts each of its objects once. Older commits, and objects that no ref
    /// holds, do not count.
    /// </summary>
    public long SavedBytes { get; private set; }

    /// <summary>Measures a store. Throws <see cref="CorruptException"/> if a commit or tree that a ref needs cannot be read.</summary>
    public static Usage Measure(ObjectStore store)
    {
        var usage = new Usage();
        usage.MeasureObjects(store);
        foreach (PackFile pack in store.Packs.Files)
        {
            usage.Packs++;
            usage.PackBytes += pack.Length;
        }

        foreach (StoredImage image in store.Images.List())
        {
            usage.Images++;
            usage.ImageBytes += store.Images.LengthOf(image);
        }

        usage.MeasureSharing(store);
        return usage;
    }

    private void MeasureObjects(ObjectStore store)
    {
        FanWalk.Run(store, () =>
        {
            var reader = new DirectoryReader();
            return fan => MeasureFan(store, fan, reader);
        });
    }

    private void MeasureFan(ObjectStore store, byte fan, DirectoryReader reader)
    {
        long objects = 0, bytes = 0, allocated = 0;
        using SafeFileHandle directory = store.Blobs.OpenFan(fan);
        reader.Start(directory, $"{store.Path}/files/{fan:x2}");
        while (reader.Next())
        {
            if (Sys.Stat(directory, reader.Name, out FileStatus status) == Errno.None)
            {
                objects++;
                bytes += status.Size;
                allocated += status.AllocatedBytes;
            }
        }

        lock (gate)
        {
            Objects += objects;
            ObjectBytes += bytes;
            AllocatedBytes += allocated;
        }
    }

    private void MeasureSharing(ObjectStore store)
    {
        // What is freed and what is shared is counted one after the other, because each takes memory for every object.
        List<(string Name, Digest Commit)> refs = store.Refs.All(_ => { });
        List<long> freed = CountFreed(store, refs);
        var sharing = new SharingCount(store);
        foreach (Digest commit in refs.Select(r => r.Commit).Distinct())
        {
            sharing.Add(commit);
        }

        // What refs share is counted before roots are added, because roots do not count there.
        var names = refs.CountBy(r => r.Commit).ToDictionary();
        Refs = [.. refs.Zip(freed, (r, bytes) => Describe(store, sharing, r, names[r.Commit] == 1, bytes))];
        List<Digest> linked = [.. Roots.Where(root => root.Record.Method == CheckoutMethod.Hardlink).Select(root => root.Record.Commit)];
        foreach (Digest commit in linked.Distinct())
        {
            sharing.Add(commit);
        }

        IEnumerable<Digest> trees = refs.Select(r => r.Commit).Distinct().DistinctBy(commit => store.Packs.ReadCommit(commit).Tree);
        SavedBytes = trees.Concat(linked).Sum(sharing.DistinctBytes) - sharing.UnionBytes;
    }

    /// <summary>Counts what would be freed without each root, and without each ref.</summary>
    private List<long> CountFreed(ObjectStore store, List<(string Name, Digest Commit)> refs)
    {
        var sole = SoleHolders.Find(store);
        Roots = [.. store.Roots.Present().Select(root =>
            new RootUsage(root.Name, root.Record, sole.BytesFreedWithout(Holder.OfRoot(root.Name))))];
        return refs.ConvertAll(r => sole.BytesFreedWithout(Holder.OfRef(r.Name)));
    }

    private static RefUsage Describe(ObjectStore store, SharingCount sharing, (string Name, Digest Commit) tip, bool isOnly, long freed)
    {
        Commit commit = store.Packs.ReadCommit(tip.Commit);
        long unique = isOnly ? sharing.UniqueBytes(tip.Commit) : 0;
        return new RefUsage(tip.Name, tip.Commit, commit.Files, commit.ContentBytes, sharing.DistinctBytes(tip.Commit), unique, freed);
    }
}
