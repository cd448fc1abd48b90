using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Says which packs gc keeps, which it removes, and which it merges into a new one. Packs are merged because something in them is dead, or
/// because there are so many that look-ups are slow. While the plan is applied, every live object is in a pack at every instant: the new
/// pack is durable before an old one is removed. If a copy in another pack makes a copy superfluous, that other copy was read first.
/// </summary>
internal sealed class RepackPlan
{
    /// <summary>With more packs than this, all but the largest half of that number are merged.</summary>
    internal const int MostPacks = 50;

    private readonly HashSet<Digest> kept = [];
    private readonly List<PackFile> keptPacks = [];

    private RepackPlan()
    {
    }

    /// <summary>Packs of which a part goes to the new pack.</summary>
    internal List<PackFile> Rewritten { get; } = [];

    /// <summary>Packs in which nothing is live that is not in another pack too.</summary>
    internal List<PackFile> Removed { get; } = [];

    internal long DeadTrees { get; private set; }

    internal long DeadCommits { get; private set; }

    /// <summary>Makes the plan. Throws <see cref="CorruptException"/> for a pack whose index is damaged.</summary>
    internal static RepackPlan Make(Packs packs, LiveWalk live)
    {
        // Damage is rare. If a round finds some, the plan is made again without the damaged packs.
        var damaged = new HashSet<PackFile>();
        RepackPlan plan;
        do
        {
            plan = new RepackPlan();
            plan.Decide(packs.Files, live, damaged);
        }
        while (plan.FindDamage(packs, live, damaged));

        return plan;
    }

    /// <summary>
    /// Leaves the packs alone of which a part would go to a new pack. Packs in which nothing is needed are still removed.
    /// </summary>
    internal void LeaveRewritten() => Rewritten.Clear();

    /// <summary>Writes the new pack and removes the old ones, durably. Returns the number of bytes by which the packs shrank.</summary>
    internal long Apply(ObjectStore store, LiveWalk live)
    {
        // If nothing is to be kept, nothing is written: a full disk must not keep gc from freeing it.
        long oldLength = OldLength, written = 0;
        Digest name = default;
        if (Rewritten.Count > 0)
        {
            using var additions = new Additions(store);
            Copy(store, live, additions.Pack);
            name = additions.Publish();
            written = name.IsNone ? 0 : additions.Pack.Length;
        }

        foreach (PackFile pack in Rewritten.Concat(Removed))
        {
            // The new pack may have the bytes that a damaged pack should have. Then it has the same name and replaces it.
            if (pack.Name != name)
            {
                store.Packs.Remove(pack.Name);
            }
        }

        if (Rewritten.Count + Removed.Count > 0)
        {
            store.Sync();
        }

        return oldLength - written;
    }

    /// <summary>
    /// The number of bytes by which <see cref="Apply"/> would shrink the packs. How small the new pack becomes is known only when it is
    /// written, so it is written, without a name.
    /// </summary>
    internal long Measure(ObjectStore store, LiveWalk live)
    {
        if (Rewritten.Count == 0)
        {
            return OldLength;
        }

        using var scratch = new ScratchPack(store);
        Copy(store, live, scratch.Pack);
        scratch.Complete().File.Dispose();
        return OldLength - (scratch.Pack.Count == 0 ? 0 : scratch.Pack.Length);
    }

    private long OldLength => Rewritten.Concat(Removed).Sum(pack => pack.Length);

    private void Copy(ObjectStore store, LiveWalk live, PackWriter target)
    {
        foreach (PackFile pack in Rewritten)
        {
            store.Packs.Copy(pack, target, row => live.IsLive(row.Kind, row.Digest) && !kept.Contains(row.Digest));
        }
    }

    private void Decide(IReadOnlyList<PackFile> packs, LiveWalk live, HashSet<PackFile> damaged)
    {
        var dead = new HashSet<Digest>();
        var clean = new List<PackFile>();
        var mixed = new List<PackFile>();
        foreach (PackFile pack in packs.OrderByDescending(pack => pack.Count).ThenBy(pack => pack.Name))
        {
            bool isMixed = CountDead(pack, live, dead) || damaged.Contains(pack);

            // Of packs with the same content, as after a crash between writing a pack and removing its parts, one stays.
            (isMixed ? mixed : Keep(pack) ? clean : Removed).Add(pack);
        }

        Merge(clean, mixed.Count > 0);
        foreach (PackFile pack in mixed)
        {
            (HasMore(pack, live) ? Rewritten : Removed).Add(pack);
        }
    }

    /// <summary>
    /// Reads the live objects that are not copied because a pack that stays has them. Returns whether a copy there is damaged, and adds its
    /// pack to <paramref name="damaged"/>. Reads nothing if no pack is removed, and no object that only one pack has.
    /// </summary>
    private bool FindDamage(Packs packs, LiveWalk live, HashSet<PackFile> damaged)
    {
        var wanted = new HashSet<Digest>();
        foreach (PackFile pack in Rewritten.Concat(Removed))
        {
            for (int i = 0; i < pack.Count; i++)
            {
                IndexRow row = pack.Row(i);
                if (live.IsLive(row.Kind, row.Digest) && kept.Contains(row.Digest))
                {
                    wanted.Add(row.Digest);
                }
            }
        }

        int before = damaged.Count;
        for (int i = 0; i < keptPacks.Count && wanted.Count > 0; i++)
        {
            foreach (IndexRow row in keptPacks[i].RowsInBlockOrder())
            {
                if (wanted.Remove(row.Digest) && !packs.IsSound(keptPacks[i], row))
                {
                    damaged.Add(keptPacks[i]);
                }
            }
        }

        return damaged.Count > before;
    }

    private bool CountDead(PackFile pack, LiveWalk live, HashSet<Digest> dead)
    {
        bool hasDead = false;
        for (int i = 0; i < pack.Count; i++)
        {
            IndexRow row = pack.Row(i);
            if (!live.IsLive(row.Kind, row.Digest))
            {
                hasDead = true;
                bool isFirst = dead.Add(row.Digest);
                DeadTrees += isFirst && row.Kind == PackedKind.Tree ? 1 : 0;
                DeadCommits += isFirst && row.Kind == PackedKind.Commit ? 1 : 0;
            }
        }

        return hasDead;
    }

    private bool Keep(PackFile pack)
    {
        bool isNew = false;
        for (int i = 0; i < pack.Count; i++)
        {
            isNew |= kept.Add(pack.Row(i).Digest);
        }

        if (isNew)
        {
            keptPacks.Add(pack);
        }

        return isNew;
    }

    private bool HasMore(PackFile pack, LiveWalk live)
    {
        for (int i = 0; i < pack.Count; i++)
        {
            IndexRow row = pack.Row(i);
            if (live.IsLive(row.Kind, row.Digest) && !kept.Contains(row.Digest))
            {
                return true;
            }
        }

        return false;
    }

    private void Merge(List<PackFile> clean, bool willAddOne)
    {
        if (clean.Count + (willAddOne ? 1 : 0) <= MostPacks)
        {
            return;
        }

        kept.Clear();
        keptPacks.Clear();
        for (int i = 0; i < clean.Count; i++)
        {
            if (i < MostPacks / 2)
            {
                Keep(clean[i]);
            }
            else
            {
                Rewritten.Add(clean[i]);
            }
        }
    }
}
