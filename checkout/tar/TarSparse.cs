namespace HackTree.Checkout;

/// <summary>
/// The map of a sparse file in an archive: which bytes of the file the archive stores. All other bytes are zero.
/// </summary>
/// <remarks>
/// Four forms exist (GNU tar manual, "Storing Sparse Files"). Old GNU: type 'S', the map in the header and in blocks behind it.
/// pax 0.0: a record for each number of the map. pax 0.1: the map in one record. pax 1.0: the map in front of the content.
/// <code>
/// old GNU header:  386 four fragments: offset[12] length[12]   482 whether a block follows   483 size of the file[12]
/// block behind it:   0 twenty-one fragments                    504 whether another follows
/// </code>
/// </remarks>
internal sealed class TarSparse
{
    // A fragment takes 16 bytes of memory and may take 4 bytes of an archive.
    internal const int MostFragments = 1_000_000;

    // What ext4 can hold. Holes are hashed too, so a larger claim would keep a commit busy for days.
    private const long LargestFile = 16L << 40;

    private const int FragmentSize = 2 * TarHeader.LongNumberSize;
    private const int HeaderMap = 386;
    private const int HeaderFragments = 4;
    private const int BlockFragments = 21;
    private const int HeaderFileSize = 483;

    private readonly List<(long Offset, long Length)> fragments = [];
    private long position;
    private int next;

    /// <summary>The size of the file, holes included.</summary>
    internal long FileSize { get; private set; }

    /// <summary>Bytes that the archive stores.</summary>
    internal long StoredSize { get; private set; }

    /// <summary>Reads the map of an old GNU header. <paramref name="isContinued"/> tells whether a block of the map follows the header.</summary>
    internal static TarSparse? FromHeader(ReadOnlySpan<byte> header, out bool isContinued)
    {
        var map = new TarSparse();
        isContinued = false;
        return TarHeader.TryNumber(header.Slice(HeaderFileSize, TarHeader.LongNumberSize), out long size)
            && map.TryAddFields(header[HeaderMap..], HeaderFragments, out isContinued)
            && map.TryFinish(size)
            ? map
            : null;
    }

    /// <summary>Reads one more block of an old GNU map. False for a map that cannot be.</summary>
    internal bool TryAddBlock(ReadOnlySpan<byte> block, out bool isContinued) =>
        TryAddFields(block, BlockFragments, out isContinued) && TryFinish(FileSize);

    /// <summary>Makes a map of numbers as pax has them: offset, length, offset, length. Null for a map that cannot be.</summary>
    internal static TarSparse? FromNumbers(IReadOnlyList<long> numbers, long fileSize)
    {
        var map = new TarSparse();
        for (int i = 0; i + 1 < numbers.Count; i += 2)
        {
            if (!map.TryAdd(numbers[i], numbers[i + 1]))
            {
                return null;
            }
        }

        return numbers.Count % 2 == 0 && map.TryFinish(fileSize) ? map : null;
    }

    /// <summary>
    /// How many bytes come next, at most <paramref name="most"/>, and whether they are stored or zero. 0 at the end of the file.
    /// </summary>
    internal int Take(int most, out bool isStored)
    {
        while (next < fragments.Count && position == fragments[next].Offset + fragments[next].Length)
        {
            next++;
        }

        isStored = next < fragments.Count && position >= fragments[next].Offset;
        long end = isStored ? fragments[next].Offset + fragments[next].Length
            : next < fragments.Count ? fragments[next].Offset
            : FileSize;
        int count = (int)Math.Min(most, end - position);
        position += count;
        return count;
    }

    /// <summary>Gives back bytes of <see cref="Take"/> that could not be read yet.</summary>
    internal void GiveBack(int count) => position -= count;

    private bool TryAddFields(ReadOnlySpan<byte> fields, int count, out bool isContinued)
    {
        isContinued = fields[count * FragmentSize] != 0;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> field = fields.Slice(i * FragmentSize, FragmentSize);
            if (field[0] == 0)
            {
                // The rest of the fields are not used.
                return true;
            }

            if (!TarHeader.TryNumber(field[..TarHeader.LongNumberSize], out long offset)
                || !TarHeader.TryNumber(field[TarHeader.LongNumberSize..], out long length)
                || !TryAdd(offset, length))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Fragments come in order and do not overlap.</summary>
    private bool TryAdd(long offset, long length)
    {
        long end = fragments.Count == 0 ? 0 : fragments[^1].Offset + fragments[^1].Length;
        if (offset < end || length < 0 || offset > long.MaxValue - length || fragments.Count == MostFragments)
        {
            return false;
        }

        fragments.Add((offset, length));
        StoredSize += length;
        return true;
    }

    private bool TryFinish(long fileSize)
    {
        FileSize = fileSize;
        return fileSize is >= 0 and <= LargestFile && (fragments.Count == 0 || fragments[^1].Offset + fragments[^1].Length <= fileSize);
    }
}
