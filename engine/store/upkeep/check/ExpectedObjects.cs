namespace HackTree.Store;

/// <summary>
/// What live trees say about an object beyond its name: its size, and bits of its attributes' digest that the name lacks.
/// </summary>
internal readonly record struct ExpectedObject(long Size, ulong MoreOfXattrs);

/// <summary>
/// Every object that a commit in the store needs, by <see cref="ObjectKey"/>. Takes some 20 bytes of memory for each, and as many again for one with
/// attributes.
/// </summary>
internal sealed class ExpectedObjects
{
    private readonly ObjectMap<long> sizes = new();

    // Only of objects that have attributes.
    private readonly ObjectMap<ulong> xattrs = new();

    internal long Count => sizes.Count;

    internal bool TryGet(ulong key, out ExpectedObject expected)
    {
        bool isExpected = sizes.TryGet(key, out long size);
        expected = new ExpectedObject(size, xattrs.TryGet(key, out ulong more) ? more : 0);
        return isExpected;
    }

    /// <summary>Adds an object. False if something else is expected of it already.</summary>
    internal bool TryAdd(ulong key, ExpectedObject expected)
    {
        ref long size = ref sizes.GetOrAdd(key, out bool isKnown);
        if (isKnown)
        {
            return TryGet(key, out ExpectedObject known) && known == expected;
        }

        size = expected.Size;
        if (expected.MoreOfXattrs != 0)
        {
            xattrs.Set(key, expected.MoreOfXattrs);
        }

        return true;
    }
}
