using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// gc: removes everything that no ref and no root needs.
/// </summary>
/// <remarks>
/// Invariants:
/// <list type="bullet">
/// <item>Marking runs beside readers and writers. Only the sweep excludes them, and it first marks what was added meanwhile.</item>
/// <item>If a ref, pack, commit or tree cannot be read, and something may be needed only through it, gc ends before anything is
/// removed.</item>
/// <item>One bad thing does not stop the rest: a file that cannot be removed, a damaged record of a root, a foreign file in refs/. Each is an
/// obstacle, which the result tells. Commits that such a file names are kept (<see cref="Salvage"/>), and so is everything in a pack that
/// cannot be removed.</item>
/// <item>While gc has the store alone, it moves large leftovers into tmp/. It removes them when others can use the store again.</item>
/// <item>A tree is removed from the packs, durably, before the objects that it needs. So a tree in a pack has its objects at every instant.
/// A crash or a stop at any point leaves only litter for the next gc.</item>
/// <item>A full disk keeps gc from writing packs, not from freeing what can go without that.</item>
/// </list>
/// </remarks>
public sealed partial class Collect
{
    private readonly HashSet<Digest> keptPacks = [];
    private readonly ObjectStore store;
    private readonly CollectOptions options;
    private readonly CollectResult result = new();
    private readonly ObjectMap<bool> liveObjects = new();
    private readonly Holders holders;
    private readonly RootLinks leaving;
    private readonly Lock gate = new();
    private readonly List<Exception> obstacles = [];

    // Names in tmp/ that are removed after the sweep.
    private readonly List<byte[]> doomed = [];
    private LiveWalk live;
    private volatile bool keepsDoubt;

    private Collect(ObjectStore store, CollectOptions options)
    {
        this.store = store;
        this.options = options;
        live = NewWalk();
        holders = new Holders(store, KeptHistory.Of(options), options.WithoutRoots);
        leaving = new RootLinks(store, options.WithoutRoots);
    }

    /// <summary>
    /// Collects. Throws <see cref="CollectRefusedException"/>, with nothing removed, if a ref, a root's record, a pack, or a needed commit
    /// or tree is damaged or missing.
    /// </summary>
    public static CollectResult Run(ObjectStore store, CollectOptions options)
    {
        if (options.Depth < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(options), "a depth is 0 or more");
        }

        if (!options.DryRun && options.WithoutRoots.Count > 0)
        {
            throw new ArgumentException("only a dry run takes roots for removed", nameof(options));
        }

        if (!options.DryRun)
        {
            store.RequireWritable();
        }

        return new Collect(store, options).Run();
    }

    private CollectResult Run()
    {
        RepackPlan first = Mark();
        if (options.DryRun)
        {
            if (Sweep(first) is { } full)
            {
                AddObstacle(full);
            }

            return Finish();
        }

        store.Lock.Exclude(store.OnWait);
        try
        {
            // Before this process had the lock alone, others may have written, and another gc may have swept. What is new is marked too.
            RepackPlan plan = Mark();

            // The refs as they were read must survive a power cut. If an older ref came back, its commit could be among those that are
            // swept now.
            store.Sync();
            if (Sweep(plan) is not null)
            {
                SweepAgain();
            }
        }
        finally
        {
            store.Lock.Share();
        }

        RemoveDoomed();
        return Finish();
    }

    private CollectResult Finish()
    {
        if (obstacles.Count > 0)
        {
            result.Obstacles = [.. obstacles];
        }

        string[] images = [.. holders.Roots.Findings.Where(root => root.IsMissingImage).Select(root => root.Name)];
        if (images.Length > 0)
        {
            result.ImagesMissing = images;
        }

        return result;
    }

    private RepackPlan Mark()
    {
        try
        {
            obstacles.Clear();
            result.ObstacleCount = 0;
            store.Packs.Forget();
            holders.Look(AddObstacle);
            foreach (Held held in holders.All)
            {
                live.Add(held.Commit, held.Holder, held.Generations);
            }

            KeepFixedPacks();
            return RepackPlan.Make(store.Packs, live);
        }
        catch (CorruptException e)
        {
            throw new CollectRefusedException(e);
        }
    }

    /// <summary>Keeps what is in packs that nobody can remove.</summary>
    private void KeepFixedPacks()
    {
        foreach (PackFile pack in holders.FixedPacks())
        {
            // The second marking finds what the first one added.
            if (AddWhole(pack) || keptPacks.Contains(pack.Name))
            {
                keptPacks.Add(pack.Name);
                AddObstacle(new LinuxException(Errno.EPERM, "unlinkat", $"{store.Path}/packs/{pack.Name}.pack"));
            }
        }
    }

    /// <summary>
    /// Keeps whatever the commits and trees in a pack need: while they can be read, they must have their objects. Returns whether something was not
    /// needed before.
    /// </summary>
    private bool AddWhole(PackFile pack)
    {
        long before = (long)live.CommitCount + live.TreeCount;
        for (int i = 0; i < pack.Count; i++)
        {
            IndexRow row = pack.Row(i);
            if (row.Kind == PackedKind.Commit)
            {
                live.Add(row.Digest, Holder.OfPack(pack.Name), 0);
            }
            else
            {
                live.AddTree(row.Digest, Holder.OfPack(pack.Name));
            }
        }

        return (long)live.CommitCount + live.TreeCount > before;
    }

    private LiveWalk NewWalk() =>
        new(store.Packs, (LiveWalk _, in TreeEntry entry) => liveObjects.Set(ObjectKey.Of(store.Blobs.NameOf(entry)), true), onFault: null, store.Stop);

    private void AddObstacle(Exception why)
    {
        lock (gate)
        {
            if (result.ObstacleCount++ < CollectResult.MostObstacles)
            {
                obstacles.Add(why);
            }
        }
    }

    /// <summary>
    /// Removes everything that is not needed, and returns null. If the disk has no room to write packs anew, those packs stay, with everything that their
    /// trees need. Then a sentence about that is returned.
    /// </summary>
    private StoreException? Sweep(RepackPlan plan)
    {
        if (!options.DryRun)
        {
            store.Lock.RequireExclusive();
        }

        store.Blobs.ForgetListed();
        SweepRoots();
        StoreException? full = SweepPacksAsRoomAllows(plan);
        result.LiveTrees = live.TreeCount;
        result.LiveCommits = live.CommitCount;
        SweepImages();
        SweepSignatures();
        SweepObjects();
        SweepTemporary();

        // A file in tmp/ may have been a name of a damaged inode.
        SweepDamaged();
        return full;
    }

    private void SweepPacks(RepackPlan plan)
    {
        long freed = options.DryRun ? plan.Measure(store, live) : plan.Apply(store, live);
        result.PackBytesFreed += freed;
        result.TreesDropped += plan.DeadTrees;
        result.CommitsDropped += plan.DeadCommits;
        result.PacksRewritten += plan.Rewritten.Count;
        result.PacksRemoved += plan.Removed.Count;
        foreach (PackFile pack in plan.Rewritten.Concat(plan.Removed))
        {
            options.OnRemove?.Invoke($"packs/{pack.Name}.pack");
        }
    }

    private void SweepObjects()
    {
        result.LiveObjects = 0;
        FanWalk.Run(store, () =>
        {
            var reader = new DirectoryReader();
            var inspection = new ObjectInspection(store.Format);
            return fan => SweepFan(fan, reader, inspection);
        });
    }

    private void SweepFan(byte fan, DirectoryReader reader, ObjectInspection inspection)
    {
        long kept = 0;
        using SafeFileHandle directory = store.Blobs.OpenFan(fan);
        reader.Start(directory, $"{store.Path}/files/{fan:x2}");
        while (reader.Next())
        {
            store.Stop.ThrowIfCancellationRequested();
            options.Progress?.Add(0);
            if (liveObjects.Contains(ObjectKey.Of(fan, reader.Name)))
            {
                kept++;
                if (!keepsDoubt && IsWrongByAdoption(fan, directory, reader.Name, inspection))
                {
                    keepsDoubt = true;
                }
            }
            else if (ObjectName.TryParse(fan, reader.Name, out _))
            {
                SweepObject(fan, directory, reader.Name);
            }
        }

        lock (gate)
        {
            result.LiveObjects += kept;
        }
    }

    /// <summary>Whether an object that is needed was written to through a name outside the store that a failed --consume left.</summary>
    private bool IsWrongByAdoption(byte fan, SafeFileHandle directory, ReadOnlySpan<byte> entry, ObjectInspection inspection) =>
        store.Doubt.Adopting.IsInDoubt
        && Sys.Stat(directory, entry, out FileStatus status) == Errno.None
        && store.Doubt.MayBeAdopted(status)
        && ObjectName.TryParse(fan, entry, out ObjectName name)
        && !inspection.IsRight(directory, entry, name);

    private void SweepObject(byte fan, SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        string subject = $"files/{fan:x2}/{Encoding.ASCII.GetString(name)}";
        Errno errno = Sys.Stat(directory, name, out FileStatus status);
        string call = "statx";
        if (errno == Errno.None && !options.DryRun)
        {
            errno = Sys.Unlink(directory, name);
            call = "unlinkat";
        }

        if (errno is Errno.EPERM or Errno.EACCES or Errno.EBUSY or Errno.EISDIR)
        {
            AddObstacle(new LinuxException(errno, call, $"{store.Path}/{subject}"));
            return;
        }

        errno.ThrowIfFailed(call, $"{store.Path}/{subject}");
        lock (gate)
        {
            bool isLast = status.LinkCount - leaving.Of(ObjectKey.Of(fan, name)) == 1;
            result.ObjectsRemoved++;
            result.BytesFreed += isLast ? status.AllocatedBytes : 0;
            result.ObjectsHeldOutside += isLast ? 0 : 1;
            result.BytesHeldOutside += isLast ? 0 : status.AllocatedBytes;
            options.OnRemove?.Invoke(subject);
        }
    }
}
