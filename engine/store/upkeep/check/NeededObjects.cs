using System.Buffers.Binary;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// fsck's view of the live trees: which objects they need, and who needs the damaged ones. The trees are walked once to gather, and again only if
/// something is wrong, because a path for every object would not fit into memory.
/// </summary>
internal sealed class NeededObjects(ObjectStore store, CheckReport report, List<(Holder Holder, Digest Commit)> holders)
{
    /// <summary>Every object that a commit in the store needs, by <see cref="ObjectKey"/>.</summary>
    internal ExpectedObjects Expected { get; } = new();

    /// <summary>Walks everything that refs and roots hold. Commits and trees that cannot be read are problems.</summary>
    internal void Gather()
    {
        var lost = new List<Finding>();
        Walk(AddExpected, (walk, kind, digest, fault) =>
            lost.Add(Lost(kind, digest, report.CauseOfLoss("packs", fault)) with { NeededBy = walk.NeedOf(default) }));
        lost.ForEach(report.Add);
    }

    /// <summary>Reports the damaged objects, each with a path that needs it, and the missing ones.</summary>
    internal void Explain(CheckObjects objects)
    {
        if (objects.Bad.Count > 0 || objects.ExpectedSeen < Expected.Count)
        {
            var missing = new HashSet<ulong>();
            Walk((LiveWalk walk, in TreeEntry entry) => ExplainFile(objects, missing, walk, entry), (_, _, _, _) => { });
        }

        foreach (Finding finding in objects.Bad.Values)
        {
            report.Add(finding);
        }
    }

    private void ExplainFile(CheckObjects objects, HashSet<ulong> missing, LiveWalk walk, in TreeEntry entry)
    {
        ObjectName name = store.Blobs.NameOf(entry);
        ulong key = ObjectKey.Of(name);
        if (objects.Bad.Remove(key, out Finding? finding))
        {
            report.Add(finding with { NeededBy = walk.NeedOf(entry.Name) });
            missing.Add(key);
        }
        else if (objects.ExpectedSeen < Expected.Count && !missing.Contains(key) && IsMissing(name))
        {
            report.Add(new Finding.MissingObject(name) { NeededBy = walk.NeedOf(entry.Name) });
            missing.Add(key);
        }
    }

    private bool IsMissing(in ObjectName name)
    {
        try
        {
            return !store.Blobs.TryStat(name, out _);
        }
        catch (LinuxException e)
        {
            // If the fan-out directory cannot be read, that was reported. If the directory is gone, the object is gone too.
            return e.Errno == Errno.ENOENT;
        }
    }

    private void AddExpected(LiveWalk walk, in TreeEntry entry)
    {
        ObjectName name = store.Blobs.NameOf(entry);
        var expected = new ExpectedObject(entry.Size, MoreOf(name, store.Format.ObjectXattrs(entry.Xattrs)));
        if (!Expected.TryAdd(ObjectKey.Of(name), expected))
        {
            report.Add(new Finding.DisputedObject(name) { NeededBy = walk.NeedOf(entry.Name) });
        }
    }

    /// <summary>The second 8 bytes of the attributes' digest; the name has the first 8.</summary>
    internal static ulong MoreOf(in ObjectName name, ReadOnlySpan<byte> xattrs)
    {
        if (name.XattrTag == 0)
        {
            return 0;
        }

        Span<byte> digest = stackalloc byte[Digest.Size];
        XattrSet.DigestOf(xattrs).CopyTo(digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest[8..]);
    }

    private static Finding Lost(PackedKind kind, Digest digest, Cause? cause) =>
        kind == PackedKind.Tree ? new Finding.LostTree(digest, cause) : new Finding.LostCommit(digest, cause);

    private void Walk(LiveFileVisitor onFile, LiveFaultHandler onFault)
    {
        var walk = new LiveWalk(store.Packs, onFile, onFault, store.Stop);
        foreach ((Holder holder, Digest commit) in holders)
        {
            walk.Add(commit, holder, int.MaxValue);
        }
    }
}
