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
/// <item>If a ref, record, pack, commit or tree cannot be read, and something may be needed only through it, gc ends before anything is
/// removed.</item>
/// <item>A tree is removed from the packs, durably, before the objects that it needs. So a tree in a pack has its objects at every instant.
/// A crash or a stop at any point leaves only litter for the next gc.</item>
/// </list>
/// </remarks>
public sealed class Collect
{
    private readonly ObjectStore store;
    private readonly CollectOptions options;
    private readonly CollectResult result = new();
    private readonly HashSet<ulong> liveObjects = [];
    private readonly LiveWalk live;
    private readonly RootSurvey roots;
    private readonly Lock gate = new();
    private volatile bool keepsDoubt;

    private Collect(ObjectStore store, CollectOptions options)
    {
        this.store = store;
        this.options = options;
        live = new LiveWalk(store.Packs, (LiveWalk _, in TreeEntry entry) => liveObjects.Add(ObjectKey.Of(store.Blobs.NameOf(entry))), onFault: null, store.Stop);
        roots = new RootSurvey(store.Roots);
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
            Sweep(first);
            return result;
        }

        store.Lock.Exclude(store.OnWait);
        try
        {
            // Before this process had the lock alone, others may have written, and another gc may have swept. What is new is marked too.
            RepackPlan plan = Mark();

            // The refs as they were read must survive a power cut. If an older ref came back, its commit could be among those that are
            // swept now.
            store.Sync();
            Sweep(plan);
        }
        finally
        {
            store.Lock.Share();
        }

        return result;
    }

    private RepackPlan Mark()
    {
        try
        {
            store.Packs.Forget();
            roots.Look();
            foreach ((string name, Digest commit) in store.Refs.All())
            {
                live.Add(commit, Holder.OfRef(name), options.Depth ?? int.MaxValue);
            }

            foreach ((string name, Digest commit) in roots.Held)
            {
                live.Add(commit, Holder.OfRoot(name), 0);
            }

            return RepackPlan.Make(store.Packs, live);
        }
        catch (CorruptException e)
        {
            throw new CollectRefusedException(e);
        }
    }

    private void Sweep(RepackPlan plan)
    {
        if (!options.DryRun)
        {
            store.Lock.RequireExclusive();
        }

        result.LiveTrees = live.TreeCount;
        result.LiveCommits = live.CommitCount;
        store.Blobs.ForgetListed();
        SweepRoots();
        SweepPacks(plan);
        SweepObjects();
        SweepTemporary();
    }

    private void SweepRoots()
    {
        foreach (RootFinding finding in roots.Findings)
        {
            store.Stop.ThrowIfCancellationRequested();
            if (finding.Litter is { } litter)
            {
                result.LitterRemoved++;
                options.OnRemove?.Invoke(litter);
            }

            if (finding.Verdict == RootVerdict.Drop)
            {
                result.RootRecordsDropped++;
                options.OnRemove?.Invoke($"roots/{finding.Name}.json");
            }

            result.RootRecordsCompleted += finding.Verdict == RootVerdict.Complete ? 1 : 0;
            if (!options.DryRun)
            {
                Settle(finding);
            }
        }
    }

    private void Settle(RootFinding finding)
    {
        try
        {
            roots.Settle(finding);
        }
        catch (LinuxException e) when (e.Errno is not (Errno.EIO or Errno.ENOSPC or Errno.EROFS))
        {
            // What one root left (something may be mounted in it) must not prevent the rest from being freed. Its record stays.
            result.Obstacle ??= e;
        }
    }

    private void SweepPacks(RepackPlan plan)
    {
        result.TreesDropped = plan.DeadTrees;
        result.CommitsDropped = plan.DeadCommits;
        result.PacksRewritten = plan.Rewritten.Count;
        result.PacksRemoved = plan.Removed.Count;
        foreach (PackFile pack in plan.Rewritten.Concat(plan.Removed))
        {
            options.OnRemove?.Invoke($"packs/{pack.Name}.pack");
        }

        result.PackBytesFreed = plan.Removed.Sum(pack => pack.Length);
        if (!options.DryRun)
        {
            result.PackBytesFreed = plan.Apply(store, live);
        }
    }

    private void SweepObjects()
    {
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
        Sys.Stat(directory, name, out FileStatus status).ThrowIfFailed("statx", $"{store.Path}/{subject}");
        if (!options.DryRun)
        {
            Sys.Unlink(directory, name).ThrowIfFailed("unlinkat", $"{store.Path}/{subject}");
        }

        lock (gate)
        {
            bool isLast = status.LinkCount == 1;
            result.ObjectsRemoved++;
            result.BytesFreed += isLast ? status.AllocatedBytes : 0;
            result.ObjectsHeldOutside += isLast ? 0 : 1;
            result.BytesHeldOutside += isLast ? 0 : status.AllocatedBytes;
            options.OnRemove?.Invoke(subject);
        }
    }

    private void SweepTemporary()
    {
        // No other process uses the store, so nobody will name the files that wait there.
        using SafeFileHandle directory = DirectoryReader.Reopen(store.Temporary, $"{store.Path}/tmp");
        var reader = new DirectoryReader();
        reader.Start(directory, $"{store.Path}/tmp");
        while (reader.Next())
        {
            if (keepsDoubt && Doubt.IsAdoptingMark(reader.Name))
            {
                // The mark makes the next commit that has the content replace the object.
                continue;
            }

            store.Stop.ThrowIfCancellationRequested();
            string subject = $"tmp/{ByteText.Quote(reader.Name)}";
            result.LitterRemoved++;
            options.OnRemove?.Invoke(subject);
            if (!options.DryRun)
            {
                TreeRemoval.Remove(directory, reader.Name, $"{store.Path}/{subject}");
            }
        }
    }
}
