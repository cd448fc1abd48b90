using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>This file: how many bytes of the archive belong to an entry, and what of a file they are.</summary>
internal sealed partial class TarReader
{
    // More do not fit a long.
    private const int MostDigits = 18;
    private const string DamagedMap = "the map of its holes is damaged";

    /// <summary>Reads content of the entry, holes included, at least one byte; 0 at its end.</summary>
    internal int ReadContent(Span<byte> buffer)
    {
        if (sparse is null)
        {
            return ReadStored(buffer);
        }

        int count = sparse.Take(buffer.Length, out bool isStored);
        if (isStored)
        {
            int read = ReadStored(buffer[..count]);
            sparse.GiveBack(count - read);
            return read;
        }

        buffer[..count].Clear();
        return count;
    }

    /// <summary>Reads content as the archive stores it, without the holes, at least one byte; 0 at its end.</summary>
    internal int ReadStored(Span<byte> buffer)
    {
        int count = input.Read(buffer[..(int)Math.Min(buffer.Length, remaining)]);
        remaining -= count;
        return count > 0 || remaining == 0 || buffer.IsEmpty ? count : throw CutShort();
    }

    /// <summary>Only files have content; for others the field may hold anything (POSIX), but for GNU's lists of names.</summary>
    private long ContentSize(byte type)
    {
        ReadOnlySpan<byte> field = block.AsSpan(TarHeader.SizeOffset, TarHeader.LongNumberSize);
        return type switch
        {
            TarHeader.GnuDirectoryType => Number(TarHeader.SizeOffset, TarHeader.LongNumberSize, "size", long.MaxValue),
            _ when Kind == EntryKind.Directory => TarHeader.TryNumber(field, out long size) && size > 0 && !IsHeaderNext() ? size : 0,
            _ when Kind == EntryKind.Regular => values.Size ?? Number(TarHeader.SizeOffset, TarHeader.LongNumberSize, "size", long.MaxValue),
            _ => 0,
        };
    }

    /// <summary>
    /// Whether a header, or the end, comes next. Some programs gave a directory a size and wrote no content; others wrote the content:
    /// the field does not tell.
    /// </summary>
    private bool IsHeaderNext()
    {
        ReadOnlySpan<byte> next = input.Peek(2 * TarHeader.BlockSize);
        return next.Length < TarHeader.BlockSize || IsZero(next) || TarHeader.HasRightChecksum(next[..TarHeader.BlockSize]);
    }

    /// <summary>The map of a sparse file; null for a file that is stored whole. What the map takes of the archive is read.</summary>
    private TarSparse? ReadMap(byte type)
    {
        TarSparse? map = null;
        if (type == TarHeader.GnuSparseType)
        {
            map = TarSparse.FromHeader(block, out bool isContinued) ?? throw Fault(DamagedMap);
            while (isContinued)
            {
                Check(input.ReadFully(block) < block.Length || !map.TryAddBlock(block, out isContinued) ? DamagedMap : null);
            }
        }
        else if (values.Sparse is { } said)
        {
            Check(Kind != EntryKind.Regular ? "only a file can have holes" : null);
            map = (said.IsMapInContent ? ReadMapInContent(said) : said.Map) ?? throw Fault(DamagedMap);
        }

        Check(map is not null && map.StoredSize != remaining ? DamagedMap : null);
        return map;
    }

    /// <summary>Format 1.0: a count, then that many offsets and lengths, each a line of decimal digits, filled up with NULs to a whole block.</summary>
    private TarSparse? ReadMapInContent(PaxSparse said)
    {
        var numbers = new List<long>();
        long wanted = 1, number = 0;
        int digits = 0;
        while (numbers.Count < wanted)
        {
            for (int done = 0; done < block.Length;)
            {
                int count = ReadStored(block.AsSpan(done));
                Check(count == 0 ? DamagedMap : null);
                done += count;
            }

            foreach (byte b in block)
            {
                if (b == '\n' && digits > 0)
                {
                    numbers.Add(number);
                    wanted = numbers.Count == 1 ? 1 + (2 * number) : wanted;
                    Check(wanted > 2L * TarSparse.MostFragments ? DamagedMap : null);
                    (number, digits) = (0, 0);
                    if (numbers.Count == wanted)
                    {
                        break;
                    }
                }
                else
                {
                    Check(b is < (byte)'0' or > (byte)'9' || ++digits > MostDigits ? DamagedMap : null);
                    number = (number * 10) + (b - '0');
                }
            }
        }

        return said.FileSize is { } size ? TarSparse.FromNumbers(numbers[1..], size) : null;
    }

    private void SetContent(long size)
    {
        Check(size > long.MaxValue - TarHeader.BlockSize - input.Position ? $"its size of {size} bytes is impossible" : null);
        remaining = size;
        padding = -size & (TarHeader.BlockSize - 1);
    }

    private void SkipContent()
    {
        if (!input.Skip(remaining + padding))
        {
            throw CutShort();
        }

        remaining = padding = 0;
    }
}
