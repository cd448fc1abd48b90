using HackTree.Linux;

namespace HackTree.Store;

/// <content>A disk without room for a new pack.</content>
public sealed partial class Collect
{
    /// <summary>Sweeps the packs. If there is no room for a new one, those that it would replace stay, and what was missing is returned.</summary>
    private StoreException? SweepPacksAsRoomAllows(RepackPlan plan)
    {
        try
        {
            SweepPacks(plan);
            return null;
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            int count = plan.Rewritten.Count;
            long most = plan.Rewritten.Sum(pack => pack.Length);
            SweepPacks(KeepWhole(plan));
            return new StoreException(
                $"{store.Path}/packs: no space left for a new pack (at most {most} bytes) in the place of {count} that are needed in part; "
                + "they stay, with all that they need",
                new Remedy.FreeSpace());
        }
    }

    /// <summary>Tries again, with the room that the first sweep made.</summary>
    private void SweepAgain()
    {
        RemoveDoomed();
        doomed.Clear();
        store.Sync();
        liveObjects.Clear();
        live = NewWalk();
        if (Sweep(Mark()) is { } full)
        {
            AddObstacle(full);
        }
    }

    /// <summary>The plan that writes nothing. What it would replace stays, with everything that the commits and trees in there need.</summary>
    private RepackPlan KeepWhole(RepackPlan plan)
    {
        try
        {
            // What they need may be in packs that were to be removed, and these may have trees with needs of their own.
            var whole = new HashSet<PackFile>();
            while (!whole.IsSupersetOf(plan.Rewritten))
            {
                whole.UnionWith(plan.Rewritten);
                foreach (PackFile pack in plan.Rewritten)
                {
                    AddWhole(pack);
                }

                plan = RepackPlan.Make(store.Packs, live);
            }

            plan.LeaveRewritten();
            return plan;
        }
        catch (CorruptException e)
        {
            throw new CollectRefusedException(e);
        }
    }
}
