namespace HackTree.Store;

/// <summary>
/// A map from the keys of objects (<see cref="ObjectKey"/>) for tens of millions of them. It consists of many tables, which grow one by one: it never
/// needs the memory of two maps at a time. Not thread-safe, except that several threads may read while none adds.
/// </summary>
internal sealed class ObjectMap<TValue>
    where TValue : struct
{
    // A key's first bits say which table has it.
    private const int PartBits = KeyTable<TValue>.IgnoredBits;

    private readonly KeyTable<TValue>?[] parts = new KeyTable<TValue>?[1 << PartBits];

    internal long Count { get; private set; }

    internal bool Contains(ulong key) => TryGet(key, out _);

    internal bool TryGet(ulong key, out TValue value)
    {
        value = default;
        return parts[key >> (64 - PartBits)]?.TryGet(key, out value) == true;
    }

    internal void Set(ulong key, TValue value) => GetOrAdd(key, out _) = value;

    /// <summary>The value of a key, which is added with a default value if it is not there. The reference is valid until the next key is added.</summary>
    internal ref TValue GetOrAdd(ulong key, out bool isKnown)
    {
        ref TValue value = ref (parts[key >> (64 - PartBits)] ??= new KeyTable<TValue>()).GetOrAdd(key, out isKnown);
        Count += isKnown ? 0 : 1;
        return ref value;
    }

    internal void Clear()
    {
        Array.Clear(parts);
        Count = 0;
    }
}
