namespace HackTree.Checkout;

/// <summary>
/// What the GNU.sparse.* records of a pax header say: the file's real name and size, and its map or where the map is (GNU tar manual,
/// "Storing Sparse Files", formats 0.0, 0.1 and 1.0).
/// </summary>
internal sealed class PaxSparse
{
    private const byte Comma = (byte)',';
    private const int MostNumbers = 2 * TarSparse.MostFragments;

    private readonly List<long> numbers = [];

    /// <summary>The file's name; null where the header itself has it.</summary>
    internal byte[]? Path { get; private set; }

    /// <summary>The size of the file, holes included; null where no record says so.</summary>
    internal long? FileSize { get; private set; }

    /// <summary>Whether the map stands in front of the content, as in format 1.0.</summary>
    internal bool IsMapInContent { get; private set; }

    /// <summary>The map of formats 0.0 and 0.1; null for a map that cannot be.</summary>
    internal TarSparse? Map => FileSize is { } size ? TarSparse.FromNumbers(numbers, size) : null;

    /// <summary>Takes one record whose key begins with GNU.sparse. False for a value that cannot be, or a format of the future.</summary>
    internal bool Apply(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        switch (key["GNU.sparse.".Length..])
        {
            case var k when k.SequenceEqual("name"u8):
                Path = value.ToArray();
                return true;
            case var k when k.SequenceEqual("size"u8) || k.SequenceEqual("realsize"u8):
                FileSize = PaxRecords.TryDecimal(value, out long size) ? size : null;
                return FileSize is not null;
            case var k when k.SequenceEqual("offset"u8) || k.SequenceEqual("numbytes"u8):
                return Add(value, isOffset: k.SequenceEqual("offset"u8));
            case var k when k.SequenceEqual("map"u8):
                return AddAll(value);
            case var k when k.SequenceEqual("major"u8):
                IsMapInContent = value.SequenceEqual("1"u8);
                return IsMapInContent || value.SequenceEqual("0"u8);
            default:
                // numblocks repeats what the map says; minor versions differ in nothing that is read here.
                return true;
        }
    }

    /// <summary>Each offset is followed by its length.</summary>
    private bool Add(ReadOnlySpan<byte> value, bool isOffset)
    {
        if (numbers.Count % 2 == 0 != isOffset || numbers.Count == MostNumbers || !PaxRecords.TryDecimal(value, out long number))
        {
            return false;
        }

        numbers.Add(number);
        return true;
    }

    private bool AddAll(ReadOnlySpan<byte> map)
    {
        numbers.Clear();
        while (!map.IsEmpty)
        {
            int comma = map.IndexOf(Comma);
            if (numbers.Count == MostNumbers || !PaxRecords.TryDecimal(comma < 0 ? map : map[..comma], out long number))
            {
                return false;
            }

            numbers.Add(number);
            map = comma < 0 ? default : map[(comma + 1)..];
        }

        return true;
    }
}
