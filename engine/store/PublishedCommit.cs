using HackTree.Model;

namespace HackTree.Store;

/// <summary>A commit that is durable and can be read, and that its ref does not name yet.</summary>
/// <remarks>
/// <para>
/// Sync first, then the turn. A syncfs(2) writes back what every process wrote to the filesystem, which takes half a minute on a slow disk; with the
/// refs' turn held, all other commits to any ref would wait for it. But the parent of a commit is a part of its bytes, so these are settled only in
/// the turn. Therefore the commit is published as the child of what the ref named before the sync, and only then the turn is taken:
/// </para>
/// <para>
/// The ref still names that parent, as nearly always: it is set. Or another commit was faster: the same tree becomes a commit once more, as the child
/// of that one. All that it needs is durable, but for its own bytes. They go into a second pack, for which an fsync(2) of one small file
/// and one of packs/ do. So both commits are in the ref's history, the later one above the earlier; what was published first is left for gc.
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

    /// <summary>Takes the refs' turn and lets the ref name the commit. Answers the digest of the commit that the ref names now.</summary>
    public Digest SetRef(string why)
    {
        Step.Require(!isSet, "a published commit sets its ref once");
        isSet = true;
        using RefTurn turn = RefTurn.Take(store);
        DurableCommit last = isChild ? AsChildOf(turn.Find(refName)) : durable;
        turn.Set(refName, last, why);
        return last.Digest;
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
        store.Packs.AddAlone(pack);
        return new DurableCommit(digest);
    }
}
