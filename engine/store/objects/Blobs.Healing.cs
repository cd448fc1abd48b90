using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

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

    /// <summary>Keeps the inode of a damaged object that has other names, so that it is known which inode roots have.</summary>
    internal Action<ObjectName>? KeepDamaged { get; init; }

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

    /// <summary>Compares an object with its name: content, metadata and attributes.</summary>
    public bool IsRight(in ObjectName name)
    {
        inspection ??= new ObjectInspection(format);
        return inspection.IsRight(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), name);
    }

    /// <summary>Gives what has an object's name another name beside it. If that is a link, the link itself gets the name.</summary>
    internal Errno LinkDamaged(in ObjectName name, SafeFileHandle directory, ReadOnlySpan<byte> newName) =>
        Sys.Link(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), directory, newName);

    /// <summary>Takes its name from what has an object's name, and gives it another one.</summary>
    internal Errno MoveAway(in ObjectName name, SafeFileHandle directory, ReadOnlySpan<byte> newName) =>
        Sys.Rename(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), directory, newName);

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
