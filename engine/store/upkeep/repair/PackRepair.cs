using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Makes lost trees and commits again, and removes damaged packs. What is needed and has no sound copy in a sound pack is copied to a new pack: from the
/// sound parts of damaged packs, and from packs that sources have. When the new pack is durable, nothing needs the damaged ones.
/// </summary>
internal sealed class PackRepair
{
    private readonly ObjectStore store;
    private readonly RepairItem[] lost;
    private readonly RepairItem[] packs;
    private readonly HashSet<Digest> damaged;
    private (PackedKind Kind, Digest Digest)[] needed = [];
    private bool isWhole = true;

    internal PackRepair(ObjectStore store, IReadOnlyCollection<RepairItem> items)
    {
        this.store = store;
        lost = [.. items.Where(item => item.Problem is Finding.LostTree or Finding.LostCommit or Finding.LostTip)];
        packs = [.. items.Where(item => item.Problem is Finding.DamagedPack)];
        damaged = [.. packs.Select(item => ((Finding.DamagedPack)item.Problem).Pack)];
    }

    /// <summary>Whether trees or commits were lost, so that fsck did not see all that is needed.</summary>
    internal bool HasLost => lost.Length > 0;

    /// <summary>The refs and roots whose commits can be read, now that the sources' packs can.</summary>
    internal IEnumerable<(Holder Holder, Digest Commit)> HoldersOf(CheckResult check) => check.Holders.Concat(LostTips);

    private IEnumerable<(Holder Holder, Digest Commit)> LostTips =>
        lost.Select(item => item.Problem).OfType<Finding.LostTip>().Select(tip => (tip.Holder, tip.Commit));

    /// <summary>Lets the store read what sources have, and decides what becomes of each finding.</summary>
    internal void Plan(CheckResult check, IEnumerable<IRepairSource> sources)
    {
        if (lost.Length + packs.Length == 0)
        {
            return;
        }

        Array.ForEach(lost, item => item.State = RepairState.NotFound);
        foreach (IRepairSource source in sources)
        {
            if (Array.TrueForAll(lost, item => item.State == RepairState.Planned))
            {
                break;
            }

            source.AttachPacks(store);
            foreach (RepairItem item in lost.Where(item => item.State == RepairState.NotFound && IsReadable(item.Problem)))
            {
                (item.State, item.Source, item.Place) = (RepairState.Planned, source.Name, "its trees and commits");
            }
        }

        var walk = new LiveWalk(store.Packs, (LiveWalk _, in TreeEntry _) => { }, (_, _, _, _) => isWhole = false, store.Stop);
        foreach ((Holder holder, Digest commit) in HoldersOf(check))
        {
            walk.Add(commit, holder, int.MaxValue);
        }

        needed = [.. walk.All];
        foreach (RepairItem item in packs)
        {
            if (store.Packs.IsDirectory(((Finding.DamagedPack)item.Problem).Pack))
            {
                // What is in it is not the store's to remove.
                (item.State, item.Failure) = (RepairState.Failed, new StoreException("it is a directory"));
                continue;
            }

            (item.State, item.Source, item.Place) = isWhole
                ? (RepairState.Planned, "the other packs", "all that is needed of it")
                : (RepairState.NotFound, null, null);
        }
    }

    /// <summary>Adds what has no sound copy in a sound pack to the pack that will be published.</summary>
    internal void Add(PackWriter pack)
    {
        foreach ((PackedKind kind, Digest digest) in needed)
        {
            store.Stop.ThrowIfCancellationRequested();
            if (!store.Packs.HasSound(kind, digest, damaged) && store.Packs.TryReadSound(kind, digest, out ReadOnlyMemory<byte> bytes))
            {
                pack.Add(kind, digest, bytes.Span);
            }
        }
    }

    /// <summary>Says what was made, after the pack was published under this name; none if there was nothing to publish.</summary>
    internal void Judge(Digest published)
    {
        // The new pack may have the bytes that a damaged pack should have. Then it took that pack's name.
        if (!published.IsNone)
        {
            damaged.Remove(published);
        }

        foreach (RepairItem item in lost.Where(item => item.State == RepairState.Planned))
        {
            item.State = RepairState.Made;
        }
    }

    /// <summary>Removes the damaged packs, if all that is needed is in others. Only while no other process uses the store.</summary>
    internal void RemoveDamaged()
    {
        RepairItem[] planned = [.. packs.Where(item => item.State == RepairState.Planned)];
        if (planned.Length > 0)
        {
            store.RunAlone(() =>
            {
                bool isElsewhere = Array.TrueForAll(needed, each => store.Packs.HasSound(each.Kind, each.Digest, damaged));
                Array.ForEach(planned, item => Remove(item, ((Finding.DamagedPack)item.Problem).Pack, isElsewhere));
                return true;
            });
        }
    }

    private void Remove(RepairItem item, Digest pack, bool isElsewhere)
    {
        string subject = $"{store.Path}/{item.Problem.Path}";
        try
        {
            if (damaged.Contains(pack))
            {
                if (!isElsewhere)
                {
                    throw new CorruptException(subject, "it may still have what is needed", null);
                }

                store.Packs.Remove(pack);
            }

            item.State = RepairState.Made;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            (item.State, item.Failure) = (RepairState.Failed, e);
        }
    }

    private bool IsReadable(Finding problem) => problem switch
    {
        Finding.LostTree tree => store.Packs.TryReadSound(PackedKind.Tree, tree.Tree, out _),
        Finding.LostCommit commit => store.Packs.TryReadSound(PackedKind.Commit, commit.Commit, out _),
        Finding.LostTip tip => store.Packs.TryReadSound(PackedKind.Commit, tip.Commit, out _),
        _ => false,
    };
}
