using HackTree.Model;

namespace HackTree.Store;

/// <summary>A commit that is durable and can be read. Its ref does not name it yet.</summary>
/// <remarks>
/// <para>
/// The sync comes before the turn. A syncfs(2) writes back everything that any process wrote to the filesystem, and can take half a minute
/// on a slow disk. If the refs' turn were held meanwhile, commits to every ref would wait. But a commit's bytes contain its parent, so they
/// are final only in the turn. Therefore the commit is published as the child of the commit that the ref names before the sync. Then the
/// turn is taken.
/// </para>
/// <para>
/// Nearly always the ref still names that parent. Then it is set. If another process has set the ref meanwhile, the same tree becomes a
/// second commit, a child of the other process's commit. Everything that the second commit needs is durable already, except its own bytes.
/// They go into a second pack, which needs only an fsync(2) of one small file and one of packs/. So the ref's history has the commits of
/// both processes. Nothing needs the commit that was published before the sync, and gc removes it.
/// </para>
/// </remarks>
public sealed class PublishedCommit
{
    private readonly ObjectStore store;
    private readonly string refName;
    private readonly Commit commit;
    private readonly DurableCommit durable;
    private readonly bool isChild;
    private bool isSet;

    internal PublishedCommit(ObjectStore store, string refName, Commit commit, DurableCommit durable, bool isChild)
    {
        this.store = store;
        this.refName = refName;
        this.commit = commit;
        this.durable = durable;
        this.isChild = isChild;
    }

    /// <summary>Takes the refs' turn and sets the ref to the commit. Returns the digest of the commit that the ref names now.</summary>
    /// <param name="why">The line for the ref's log.</param>
    /// <param name="onFinal">Called in the turn, with the digest of the commit that the ref will name, before the ref is set.</param>
    public Digest SetRef(string why, Action<Digest>? onFinal = null)
    {
        DurableCommit last;
        using (RefTurn turn = TakeTurn())
        {
            last = isChild ? AsChildOf(turn.Find(refName)) : durable;
            onFinal?.Invoke(last.Digest);
            turn.Set(refName, last, why);
        }

        PackMerge.RunIfMany(store);
        return last.Digest;
    }

    /// <summary>
    /// Sets the ref unless it names another commit by now than <paramref name="before"/>: then throws <see cref="StoreException"/>, for what was set
    /// meanwhile would be lost.
    /// </summary>
    public void SetRefFrom(Digest before, string why)
    {
        using (RefTurn turn = TakeTurn())
        {
            if (turn.Find(refName) != before)
            {
                throw new StoreException($"{store.Path}: {refName} was set to another commit meanwhile; run this again");
            }

            turn.Set(refName, durable, why);
        }

        PackMerge.RunIfMany(store);
    }

    private RefTurn TakeTurn()
    {
        Step.Require(!isSet, "a published commit sets its ref once");
        isSet = true;
        return RefTurn.Take(store);
    }

    private DurableCommit AsChildOf(Digest parent)
    {
        Commit child = commit.AsChildOf(parent);
        if (child.Parents.SequenceEqual(commit.Parents))
        {
            return durable;
        }

        using PackWriter pack = store.Packs.NewPack();
        Digest digest = pack.Add(child);
        _ = store.Packs.AddAlone(pack);
        return new DurableCommit(digest);
    }
}
