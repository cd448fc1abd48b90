using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Which packs gc keeps as they are, which it removes, and which it writes anew into one, because something in them is
/// dead or because there are so many that look-ups are slow. Applied, every live object is in a pack at every instant:
/// the new pack is durable before an old one goes, and where a copy in another pack makes one superfluous, that copy was read.
/// </summary>
internal sealed class RepackPlan
{
    /// <summary>With more packs than this, all but the largest half of that number become one.</summary>
    internal const int MostPacks = 50;

    private readonly HashSet<Digest> kept = [];
    private readonly List<PackFile> keptPacks = [];

    private RepackPlan()
    {
    }

    /// <summary>Packs of which a part goes to the new one.</summary>
    internal List<PackFile> Rewritten { get; } = [];

    /// <summary>Packs that hold nothing live that is not in another.</summary>
    internal List<PackFile> Removed { get; } = [];

    internal long DeadTrees { get; private set; }

    internal long DeadCommits { get; private set; }

    /// <summary>Decides. Throws <see cref="CorruptException"/> for a pack whose index is damaged.</summary>
    internal static RepackPlan Make(Packs packs, LiveWalk live)
    {
        // Damage is rare, and each round finds more of it: then what stays is decided again without the packs that have it.
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

    /// <summary>Writes the new pack and removes the old ones, durably; answers by how many bytes the packs shrank.</summary>
    internal long Apply(ObjectStore store, LiveWalk live)
    {
        if (Rewritten.Count + Removed.Count == 0)
        {
            return 0;
        }

        // Where nothing is to be kept nothing is written: a full disk must not stop gc from freeing it.
        long freed = 0;
        Digest name = Rewritten.Count == 0 ? default : Write(store, live, ref freed);
        foreach (PackFile pack in Rewritten.Concat(Removed))
        {
            freed += pack.Length;

            // The new one may be what a damaged one was meant to be: then it has its name, and took its place.
            if (pack.Name != name)
            {
                store.Packs.Remove(pack.Name);
            }
        }

        store.Sync();
        return freed;
    }

    private Digest Write(ObjectStore store, LiveWalk live, ref long freed)
    {
        using var additions = new Additions(store);
        foreach (PackFile pack in Rewritten)
        {
            foreach (IndexRow row in pack.RowsInBlockOrder())
            {
                if (live.IsLive(row.Kind, row.Digest) && !kept.Contains(row.Digest) && !additions.Pack.Contains(row.Digest))
                {
                    // Compared with its digest: the last chance to notice damage before the original goes.
                    additions.Pack.Add(row.Kind, row.Digest, store.Packs.ReadSound(pack, row).Span);
                }
            }
        }

        Digest name = additions.Publish();
        freed -= name.IsNone ? 0 : additions.Pack.Length;
        return name;
    }

    private void Decide(IReadOnlyList<PackFile> packs, LiveWalk live, HashSet<PackFile> damaged)
    {
        var dead = new HashSet<Digest>();
        var clean = new List<PackFile>();
        var mixed = new List<PackFile>();
        foreach (PackFile pack in packs.OrderByDescending(pack => pack.Count).ThenBy(pack => pack.Name))
        {
            bool isMixed = CountDead(pack, live, dead) || damaged.Contains(pack);

            // Of packs that hold the same, as after a crash between writing a pack and removing its parts, one stays.
            (isMixed ? mixed : Keep(pack) ? clean : Removed).Add(pack);
        }

        Merge(clean, mixed.Count > 0);
        foreach (PackFile pack in mixed)
        {
            (HasMore(pack, live) ? Rewritten : Removed).Add(pack);
        }
    }

    /// <summary>
    /// Reads what is not copied from a pack that goes because one that stays has it; answers whether a copy there is damaged, and adds
    /// its pack to <paramref name="damaged"/>. Reads nothing where nothing goes, and nothing of what only one pack has.
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
