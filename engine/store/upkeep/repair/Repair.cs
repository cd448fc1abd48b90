using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// fsck --repair: makes damaged and missing objects again from good copies, each as a new inode. <see cref="Plan"/> finds the copies and changes
/// nothing; <see cref="Apply"/> does what was planned.
/// </summary>
/// <remarks>
/// <para>The steps, and what a crash after each of them leaves:</para>
/// <list type="number">
/// <item>Each damaged inode gets a name in damaged/ (<see cref="DamagedInodes"/>), durably. Left: the objects are as damaged as before.</item>
/// <item>New inodes take the objects' names, as in a commit that heals (<see cref="Blobs"/>). Left: objects in doubt, and the damaged inodes, which
/// may have been the only copies of their content.</item>
/// <item>One syncfs(2) makes the new inodes durable. Left: sound objects. Roots have the damaged inodes, and damaged/ tells which these are.</item>
/// </list>
/// <para>Lost trees and commits are copied to a new pack, which gets its name after the sync, as in a commit. Damaged packs go last.</para>
/// <para>Damaged objects without a good copy can be moved to damaged/ (<see cref="PutAside"/>), each by one rename. Left: the object as it was, or a missing
/// object whose damaged inode is kept.</para>
/// <para>Then the roots get the objects in the place of damaged inodes. That is the work of a layer above, which knows how roots are made.</para>
/// </remarks>
public sealed class Repair
{
    // A walk through all trees each is much for the objects of a whole root.
    private const int MostExplained = 20;

    private readonly ObjectStore store;
    private readonly List<IRepairSource> sources;
    private readonly List<RepairItem> items;
    private readonly Dictionary<ulong, RepairItem> objects = [];
    private readonly Dictionary<Digest, LackingBlob> blobs = [];
    private readonly Dictionary<Digest, IRepairSource> chosen = [];
    private readonly Dictionary<Digest, Exception> failures = [];
    private readonly PackRepair packs;

    private Repair(ObjectStore store, IEnumerable<Finding> problems, IEnumerable<IRepairSource> more)
    {
        this.store = store;
        sources = [new EmptyContent(), StoreCopies.Own(store), .. more];
        items = [.. problems.Select(problem => new RepairItem(problem))];
        packs = new PackRepair(store, items);
    }

    /// <summary>The problems, in the order in which fsck found them, and then the missing objects that only lost trees need.</summary>
    public IReadOnlyList<RepairItem> Items => items;

    /// <summary>The inodes that have the names of damaged objects which will be made again.</summary>
    public IEnumerable<DamagedInode> Damaged()
    {
        foreach (RepairItem item in items.Where(item => item.State == RepairState.Planned))
        {
            if (item.Object is { } name && store.Blobs.TryStat(name, out FileStatus status))
            {
                yield return new DamagedInode(name, status.Inode);
            }
        }
    }

    /// <summary>Finds good copies: first in the store itself, then in the sources in their order.</summary>
    /// <param name="store">The store.</param>
    /// <param name="check">What fsck looked at.</param>
    /// <param name="problems">What fsck found.</param>
    /// <param name="sources">Where good copies may be.</param>
    /// <param name="quarantine">Whether damaged objects without a good copy are to be put aside.</param>
    public static Repair Plan(ObjectStore store, CheckResult check, IEnumerable<Finding> problems, IEnumerable<IRepairSource> sources, bool quarantine)
    {
        var repair = new Repair(store, problems, sources);
        repair.packs.Plan(check, repair.sources);
        repair.PlanImages();
        repair.GatherObjects(check);
        repair.FindCopies();
        repair.Explain();
        if (quarantine)
        {
            repair.PlanToPutAside();
        }

        return repair;
    }

    /// <summary>Makes objects again, durably. What cannot be made is told by its item, and the rest is done.</summary>
    public void Apply()
    {
        store.RequireWritable();
        KeepDamaged();
        if (items.Exists(item => item is { State: RepairState.Planned, Problem: not (Finding.DamagedImage or Finding.DamagedRootImage) }))
        {
            AddWhatIsLacking();
        }

        RemoveDamagedImages();
        foreach (RepairItem item in items.Where(item => item.State == RepairState.Planned && item.Object is not null))
        {
            Judge(item, item.Object!.Value);
        }
    }

    private void AddWhatIsLacking()
    {
        using var additions = new Additions(store);
        foreach (IRepairSource source in sources)
        {
            LackingBlob[] wanted = [.. blobs.Values.Where(blob => blob.Objects.Count > 0 && chosen.GetValueOrDefault(blob.Digest) == source)];
            if (wanted.Length > 0)
            {
                source.Add(additions, wanted, (blob, why) => failures[blob.Digest] = why);
            }
        }

        packs.Add(additions.Pack);
        packs.Judge(additions.Publish());
    }

    /// <summary>
    /// Removes the damaged packs that nothing needs any more. Waits until no other process uses the store, so the sources must be closed: one of them may
    /// be a store for which another process waits.
    /// </summary>
    public void RemoveDamagedPacks() => packs.RemoveDamaged();

    /// <summary>
    /// Moves what has the names of damaged objects without a good copy to damaged/. Then no checkout links them, no commit relies on them, and a commit that
    /// has the content makes them again. Waits until no other process uses the store. An object that was made right meanwhile stays.
    /// </summary>
    public void PutAside()
    {
        RepairItem[] planned = [.. items.Where(item => item.State == RepairState.ToPutAside)];
        if (planned.Length > 0)
        {
            store.RunAlone(() =>
            {
                Array.ForEach(planned, Move);
                store.Sync();
                return true;
            });
        }
    }

    /// <summary>
    /// Has the images of roots made again, which a layer above knows how to do. It needs the commits' trees and objects, so it comes after
    /// <see cref="Apply"/>.
    /// </summary>
    public void MakeRootImages(Action<Finding.DamagedRootImage> make)
    {
        foreach (RepairItem item in items.Where(item => item is { State: RepairState.Planned, Problem: Finding.DamagedRootImage }))
        {
            try
            {
                make((Finding.DamagedRootImage)item.Problem);
                item.State = RepairState.Made;
            }
            catch (Exception e) when (CheckReport.IsFinding(e))
            {
                (item.State, item.Failure) = (RepairState.Failed, e);
            }
        }
    }

    private void Move(RepairItem item)
    {
        ObjectName name = item.Object!.Value;
        if (store.Blobs.IsRight(name))
        {
            (item.State, item.Source, item.Place) = (RepairState.Made, "another command", item.Problem.Path);
            return;
        }

        bool isThere = store.Blobs.TryStat(name, out FileStatus status);
        Errno errno = isThere ? store.Damaged.TryMove(name) : Errno.ENOENT;
        (item.State, item.Aside) = errno == Errno.None ? (RepairState.PutAside, new DamagedInode(name, status.Inode).Path) : (RepairState.NotFound, null);
        if (errno is not (Errno.None or Errno.ENOENT))
        {
            (item.State, item.Failure) = (RepairState.Failed, new LinuxException(errno, "renameat2", $"{store.Path}/{item.Problem.Path}"));
        }
    }

    /// <summary>An image that is mounted stays: by it gc knows that the commit is.</summary>
    private void PlanImages()
    {
        HashSet<StoredImage> used = [.. store.Images.Used()];
        foreach (RepairItem item in items.Where(item => item.Problem is Finding.DamagedImage))
        {
            bool isUsed = used.Contains(((Finding.DamagedImage)item.Problem).Image);
            item.State = isUsed ? RepairState.Failed : RepairState.Planned;
            item.Failure = isUsed ? new StoreException($"{store.Path}/{item.Problem.Path} is mounted; end the mount, and repair again") : null;
        }

        // What is mounted of a root's image keeps the inode.
        foreach (RepairItem item in items.Where(item => item.Problem is Finding.DamagedRootImage))
        {
            item.State = RepairState.Planned;
        }
    }

    /// <summary>The next mount makes them again.</summary>
    private void RemoveDamagedImages()
    {
        foreach (RepairItem item in items.Where(item => item is { State: RepairState.Planned, Problem: Finding.DamagedImage }))
        {
            Errno errno = store.Images.Remove(((Finding.DamagedImage)item.Problem).Image);
            item.State = errno is Errno.None or Errno.ENOENT ? RepairState.Made : RepairState.Failed;
            item.Failure = item.State == RepairState.Made ? null : new LinuxException(errno, "unlinkat", $"{store.Path}/{item.Problem.Path}");
        }
    }

    private void PlanToPutAside()
    {
        foreach (RepairItem item in items.Where(item => item.State == RepairState.NotFound))
        {
            if ((item.Problem is Finding.DamagedObject or Finding.UnreadableObject) && store.Blobs.TryStat(item.Object!.Value, out FileStatus status))
            {
                (item.State, item.Aside) = (RepairState.ToPutAside, new DamagedInode(item.Object!.Value, status.Inode).Path);
            }
        }
    }

    private void GatherObjects(CheckResult check)
    {
        foreach (RepairItem item in items)
        {
            if (item.Object is { } name)
            {
                item.State = RepairState.NotNeeded;
                objects[ObjectKey.Of(name)] = item;
            }
        }

        if (objects.Count == 0 && !packs.HasLost)
        {
            return;
        }

        var walk = new LiveWalk(store.Packs, Gather, (_, _, _, _) => { }, store.Stop);
        foreach ((Holder holder, Digest commit) in packs.HoldersOf(check))
        {
            walk.Add(commit, holder, int.MaxValue);
        }
    }

    private void Gather(LiveWalk walk, in TreeEntry entry)
    {
        ObjectName name = store.Blobs.NameOf(entry);
        if (packs.HasLost && !objects.ContainsKey(ObjectKey.Of(name)) && !store.Blobs.TryStat(name, out _))
        {
            // fsck could not know that the object is needed, because the tree was lost.
            var found = new RepairItem(new Finding.MissingObject(name) { NeededBy = walk.NeedOf(entry.Name) }) { State = RepairState.NotNeeded };
            objects.Add(ObjectKey.Of(name), found);
            items.Add(found);
        }

        if (objects.TryGetValue(ObjectKey.Of(name), out RepairItem? item) && item.Object == name && item.State == RepairState.NotNeeded)
        {
            item.State = RepairState.NotFound;
            if (!blobs.TryGetValue(entry.Digest, out LackingBlob? blob))
            {
                blobs.Add(entry.Digest, blob = new LackingBlob(entry.Digest, entry.Size, walk.NeedOf(entry.Name).PathInTree.ToArray()));
            }

            blob.Objects.Add(new LackingObject(entry.Metadata, entry.Xattrs.ToArray()));
        }
    }

    private void FindCopies()
    {
        foreach (IRepairSource source in sources)
        {
            LackingBlob[] wanted = [.. blobs.Values.Where(blob => !chosen.ContainsKey(blob.Digest))];
            if (wanted.Length == 0)
            {
                return;
            }

            IReadOnlyDictionary<Digest, string> found = source.Find(wanted);
            foreach (RepairItem item in items.Where(item => item.State == RepairState.NotFound))
            {
                if (item.Object is { } name && found.TryGetValue(name.Blob, out string? place))
                {
                    (item.State, item.Source, item.Place) = (RepairState.Planned, source.Name, place);
                    chosen[name.Blob] = source;
                }
            }
        }
    }

    /// <summary>Finds out who needs what has no copy. If trees are lost too, fsck's own findings must do.</summary>
    private void Explain()
    {
        foreach (RepairItem item in items.Where(item => item.State == RepairState.NotFound && item.Object is not null).Take(MostExplained))
        {
            try
            {
                item.Holdings = Explanation.Find(store, new HeldThing.OfObject(item.Object!.Value), new CollectOptions());
            }
            catch (Exception e) when (CheckReport.IsFinding(e))
            {
                return;
            }
        }
    }

    /// <summary>Keeps the damaged inodes. An object whose inode cannot be kept is not replaced.</summary>
    private void KeepDamaged()
    {
        bool isAny = false;
        foreach (RepairItem item in items.Where(item => item.State == RepairState.Planned && item.Object is not null))
        {
            ObjectName name = item.Object!.Value;
            Errno errno = store.Damaged.TryKeep(name);
            isAny |= errno == Errno.None;
            if (errno is not (Errno.None or Errno.ENOENT))
            {
                (item.State, item.Failure) = (RepairState.Failed, new LinuxException(errno, "linkat", $"{store.Path}/{item.Problem.Path}"));
                blobs[name.Blob].Objects.RemoveAll(lacking => store.Blobs.NameOf(name.Blob, lacking.Metadata, lacking.Xattrs) == name);
            }
        }

        if (isAny)
        {
            store.Damaged.Sync();
        }
    }

    private void Judge(RepairItem item, in ObjectName name)
    {
        bool isRight = store.Blobs.IsRight(name);
        item.State = isRight ? RepairState.Made : RepairState.Failed;
        item.Failure = isRight ? null
            : failures.GetValueOrDefault(name.Blob) ?? new CorruptException($"{store.Path}/{item.Problem.Path}", "it is damaged again", null);
    }
}
