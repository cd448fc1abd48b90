namespace HackTree.Store;

/// <summary>
/// A hash table of 64-bit keys that are hashes already, with a value each. It takes 1.25 to 1.6 times the bytes of its keys and values (for .NET's
/// Dictionary that is 3 to 6 times). Open addressing with linear probing: Knuth, The Art of Computer Programming, volume 3, algorithm 6.4 L. Keys stay
/// until all go. Not thread-safe, except that several threads may read while none adds.
/// </summary>
internal sealed class KeyTable<TValue>
    where TValue : struct
{
    /// <summary>How many of a key's first bits do not say where it belongs here: they may say in which of several tables it is.</summary>
    internal const int IgnoredBits = 12;

    private const int FirstCapacity = 5;

    // A place without a key has 0. The key 0 is taken for 1, as if the two had the same hash.
    private ulong[] keys = [];
    private TValue[] values = [];
    private int count;

    // A longer table has shorter probes: at four fifths, a key that is not there takes 13 on average.
    private bool IsFull => count >= keys.Length / 5 * 4;

    internal bool Contains(ulong key) => TryGet(key, out _);

    internal bool TryGet(ulong key, out TValue value)
    {
        key = Math.Max(key, 1);
        int place = keys.Length > 0 ? PlaceOf(key) : 0;
        bool isKnown = keys.Length > 0 && keys[place] == key;
        value = isKnown ? values[place] : default;
        return isKnown;
    }

    internal void Set(ulong key, TValue value) => GetOrAdd(key, out _) = value;

    /// <summary>The value of a key, which is added with a default value if it is not there. The reference is valid until the next key is added.</summary>
    internal ref TValue GetOrAdd(ulong key, out bool isKnown)
    {
        key = Math.Max(key, 1);
        if (keys.Length == 0)
        {
            Grow();
        }

        int place = PlaceOf(key);
        isKnown = keys[place] == key;
        if (!isKnown && IsFull)
        {
            Grow();
            place = PlaceOf(key);
        }

        if (!isKnown)
        {
            keys[place] = key;
            count++;
        }

        return ref values[place];
    }

    /// <summary>The place of a key, or the free one where it belongs.</summary>
    private int PlaceOf(ulong key)
    {
        // A multiplication takes the place of a modulus (Lemire, https://arxiv.org/abs/1805.10941).
        int place = (int)Math.BigMul(key << IgnoredBits, (ulong)keys.Length, out _);
        while (keys[place] != key && keys[place] != 0)
        {
            place = place + 1 < keys.Length ? place + 1 : 0;
        }

        return place;
    }

    private void Grow()
    {
        (ulong[] oldKeys, TValue[] oldValues) = (keys, values);
        int capacity = keys.Length + Math.Max(keys.Length / 4, FirstCapacity);
        (keys, values) = (new ulong[capacity], new TValue[capacity]);
        for (int i = 0; i < oldKeys.Length; i++)
        {
            if (oldKeys[i] != 0)
            {
                int place = PlaceOf(oldKeys[i]);
                (keys[place], values[place]) = (oldKeys[i], oldValues[i]);
            }
        }
    }
}
