using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Which packs gc keeps as they are, which it removes, and which it writes anew into one, because something in them is
/// dead or because there are so many that look-ups are slow. Applied, every live object is in a pack at every instant:
/// the new pack is durable before an old one goes.
/// </summary>
internal sealed class RepackPlan
{
    /// <summary>With more packs than this, all but the largest half of that number become one.</summary>
    internal const int MostPacks = 50;

    private readonly HashSet<Digest> kept = [];

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
    internal static RepackPlan Make(IReadOnlyList<PackFile> packs, LiveWalk live)
    {
        var plan = new RepackPlan();
        var dead = new HashSet<Digest>();
        var clean = new List<PackFile>();
        var mixed = new List<PackFile>();
        foreach (PackFile pack in packs.OrderByDescending(pack => pack.Count).ThenBy(pack => pack.Name))
        {
            bool isMixed = plan.CountDead(pack, live, dead);

            // Of packs that hold the same, as after a crash between writing a pack and removing its parts, one stays.
            (isMixed ? mixed : plan.Keep(pack) ? clean : plan.Removed).Add(pack);
        }

        plan.Merge(clean, mixed.Count > 0);
        foreach (PackFile pack in mixed)
        {
            (plan.HasMore(pack, live) ? plan.Rewritten : plan.Removed).Add(pack);
        }

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
        foreach (PackFile pack in Rewritten.Concat(Removed).Where(pack => pack.Name != name))
        {
            freed += pack.Length;
            store.Packs.Remove(pack.Name);
        }

        store.Sync();
        return freed;
    }

    private Digest Write(ObjectStore store, LiveWalk live, ref long freed)
    {
        using PackWriter writer = store.Packs.NewPack();
        foreach (PackFile pack in Rewritten)
        {
            foreach (IndexRow row in pack.RowsInBlockOrder())
            {
                if (live.IsLive(row.Kind, row.Digest) && !kept.Contains(row.Digest))
                {
                    Copy(store.Packs, pack, row, writer);
                }
            }
        }

        Digest name = store.Publish(writer);
        freed -= name.IsNone ? 0 : writer.Length;
        return name;
    }

    private static void Copy(Packs packs, PackFile pack, IndexRow row, PackWriter writer)
    {
        ReadOnlyMemory<byte> bytes = packs.Read(pack, row);

        // A digest computed here is the last chance to notice damage before the original goes.
        if (PackedObject.DigestOf(row.Kind, bytes.Span) != row.Digest)
        {
            throw pack.Damaged($"what it holds as {row.Digest} is something else");
        }

        writer.Add(row.Kind, row.Digest, bytes.Span);
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
