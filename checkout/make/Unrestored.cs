namespace HackTree.Checkout;

/// <summary>Counts what an ordinary user's checkout could not restore. The trees have it, the root does not.</summary>
public sealed class Unrestored
{
    private long owners;
    private long devices;
    private long setIds;
    private long attributes;
    private long copies;
    private string? firstCopy;

    /// <summary>Entries that have another owner in the commit.</summary>
    public long Owners => owners;

    /// <summary>Device nodes that were not made.</summary>
    public long Devices => devices;

    /// <summary>Files without their set-uid or set-gid bit.</summary>
    public long SetIds => setIds;

    /// <summary>Entries without some of their extended attributes.</summary>
    public long Attributes => attributes;

    /// <summary>Files that are copies instead of hardlinks, because their objects are immutable or append-only.</summary>
    public long Copies => copies;

    /// <summary>The path of the first of them.</summary>
    public string? FirstCopy => firstCopy;

    /// <summary>One line with all counts; null if everything was restored.</summary>
    public string? Summary()
    {
        (long Count, string What)[] all =
        [
            (owners, "owner"), (devices, "device node"), (setIds, "set-id bit"), (attributes, "privileged attribute"),
        ];
        IEnumerable<string> lost = all.Where(x => x.Count > 0).Select(x => $"{x.Count} {x.What}{(x.Count == 1 ? "" : "s")}");
        string text = string.Join(", ", lost);
        return text.Length == 0 ? null : $"not restored in user mode, but kept in the commit: {text}";
    }

    internal void AddOwner() => Interlocked.Increment(ref owners);

    internal void AddDevice() => Interlocked.Increment(ref devices);

    internal void AddSetId() => Interlocked.Increment(ref setIds);

    internal void AddAttributes() => Interlocked.Increment(ref attributes);

    internal void AddCopy(string path)
    {
        Interlocked.Increment(ref copies);
        Interlocked.CompareExchange(ref firstCopy, path, null);
    }
}
