using HackTree.Linux;

namespace HackTree.Store;

/// <summary>
/// This file has the look at an object whose right content is at hand. A commit that has read a file reads the object too. If the object is
/// damaged, a new inode with the right content and metadata takes its name. The damaged inode lives on in the roots that have it.
/// </summary>
public sealed partial class Blobs
{
    private const int HealedShown = 5;

    // Each thread has its own, because it has buffers (1 MiB).
    [ThreadStatic]
    private static ObjectInspection? inspection;

    private readonly List<string> healed = [];
    private long healedCount;
    private long healedInRoots;

    /// <summary>The number of damaged objects that this process replaced.</summary>
    public long HealedCount => Interlocked.Read(ref healedCount);

    /// <summary>How many of them have other names than the store's. The files with those names stay damaged.</summary>
    public long HealedInRoots => Interlocked.Read(ref healedInRoots);

    /// <summary>The names of the first damaged objects that this process replaced.</summary>
    public IReadOnlyList<string> Healed
    {
        get
        {
            lock (healed)
            {
                return [.. healed];
            }
        }
    }

    /// <summary>
    /// Says whether the store has an object whose content the caller has. The object is compared whole, so that damage is found that
    /// nothing but its bytes shows. Throws as <see cref="Find"/> does if only the attributes differ and have the same tag.
    /// </summary>
    internal ObjectState FindToAdd(in ObjectName name, long size, ReadOnlySpan<byte> recordedXattrs)
    {
        if (!doubt.IsAny && FindListed(name) == ObjectState.Missing)
        {
            return ObjectState.Missing;
        }

        ObjectState state = Look(name, size);
        if (state != ObjectState.There)
        {
            return state;
        }

        inspection ??= new ObjectInspection(format);
        if (!inspection.IsRight(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), name))
        {
            return ObjectState.SuspectContent;
        }

        if (name.XattrTag != 0)
        {
            RequireXattrs(name, recordedXattrs);
        }

        return ObjectState.There;
    }

    private void CountHealed(in ObjectName name, in FileStatus before)
    {
        Interlocked.Increment(ref healedCount);
        Interlocked.Add(ref healedInRoots, before.Type == FileType.Regular && before.LinkCount > 1 ? 1 : 0);
        lock (healed)
        {
            if (healed.Count < HealedShown)
            {
                healed.Add($"files/{name}");
            }
        }
    }
}
