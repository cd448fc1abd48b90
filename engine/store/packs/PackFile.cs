using System.Buffers;
using System.IO.Hashing;
using HackTree.Linux;
using HackTree.Model;
using K4os.Compression.LZ4;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Reads one pack. The first look-up reads its index into memory with pread. With a memory mapping, an unreadable disk block would be a
/// signal that kills the process instead of an error. Every number is checked before it is used.
/// </summary>
internal sealed class PackFile : IDisposable
{
    // A pack of up to this many bytes is read at once, kept in memory, and closed. A thousand open files cost tens of milliseconds, because
    // all threads of the process wait while the kernel enlarges the table of open files (expand_fdtable of fs/file.c).
    private const int ReadWhole = 16 * 1024;

    private readonly SafeFileHandle? file;
    private readonly string subject;
    private readonly Lazy<Contents> contents;
    private readonly byte[]? whole;
    private readonly Remedy? remedy;

    /// <summary>A pack that is open.</summary>
    /// <param name="file">The file, which this takes over.</param>
    /// <param name="name">The digest that names the pack.</param>
    /// <param name="subject">What to call it in messages.</param>
    /// <param name="remedy">What to do if it is damaged; null for a pack that is not the store's.</param>
    internal PackFile(SafeFileHandle file, Digest name, string subject, Remedy? remedy)
    {
        this.file = file;
        Name = name;
        this.subject = subject;
        this.remedy = remedy;
        contents = new Lazy<Contents>(Load);
        whole = TryReadWhole(file);
        if (whole is not null)
        {
            file.Dispose();
        }
    }

    private PackFile(Exception failure, Digest name, string subject)
    {
        Name = name;
        this.subject = subject;
        contents = new Lazy<Contents>(() => throw failure);
    }

    /// <summary>The digest that names the pack.</summary>
    internal Digest Name { get; }

    internal int Count => contents.Value.Footer.Objects;

    internal int BlockCount => contents.Value.Footer.Blocks;

    /// <summary>Bytes in the file.</summary>
    internal long Length => contents.Value.Footer.Length;

    /// <summary>Bytes in the file, without a look into it. Throws <see cref="LinuxException"/> if the pack cannot be opened.</summary>
    internal long FileSize => whole is null && file is null ? contents.Value.Footer.Length : Size();

    /// <summary>
    /// Opens a pack; null if there is none of the name. If opening fails otherwise, the pack's first look-up throws, so that a pack that cannot
    /// be opened does not hide the others. Throws <see cref="LinuxException"/> if this process lacks descriptors or memory.
    /// </summary>
    internal static PackFile? TryOpen(SafeFileHandle packs, Digest name, string subject)
    {
        Errno errno = StoreFile.TryOpen(packs, PackWriter.FileName(name), OpenFlags.ReadOnly, out SafeFileHandle file, out FileStatus status);
        if (errno.IsShortage())
        {
            throw new LinuxException(errno, "openat", subject);
        }

        return errno switch
        {
            Errno.None => new PackFile(file, name, subject, new Remedy.CheckStore()),
            Errno.ENOENT => null,
            Errno.ENXIO => Unopened(StoreFile.Foreign(subject, status.Type), name, subject),
            _ => Unopened(new LinuxException(errno, "openat", subject), name, subject),
        };
    }

    /// <summary>A pack that cannot be opened. Each look-up throws <paramref name="failure"/>.</summary>
    internal static PackFile Unopened(Exception failure, Digest name, string subject) => new(failure, name, subject);

    /// <summary>Whether an exception says that a pack is damaged or cannot be read. Another pack may have what is looked for.</summary>
    internal static bool IsUnreadable(Exception e) => e is CorruptException || (e is LinuxException failed && !failed.Errno.IsShortage());

    /// <summary>The row of object number <paramref name="number"/>, in the order of digests.</summary>
    internal IndexRow Row(int number) =>
        IndexRow.Read(contents.Value.Index.Span.Slice(number * PackLayout.IndexRowSize, PackLayout.IndexRowSize));

    /// <summary>The rows in the order of the file, so that a reader unpacks each block once and from front to back.</summary>
    internal IndexRow[] RowsInBlockOrder()
    {
        var rows = new IndexRow[Count];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = Row(i);
        }

        Array.Sort(rows, (x, y) => x.Block != y.Block ? x.Block.CompareTo(y.Block) : x.Offset.CompareTo(y.Offset));
        return rows;
    }

    /// <summary>Finds an object by binary search.</summary>
    internal bool TryFind(Digest digest, out IndexRow row)
    {
        int number = LowerBound(digest);
        row = number < Count ? Row(number) : default;
        return row.Digest == digest && number < Count;
    }

    /// <summary>The number of the first object whose digest is equal to <paramref name="digest"/> or sorts after it.</summary>
    internal int LowerBound(Digest digest)
    {
        Span<byte> wanted = stackalloc byte[Digest.Size];
        digest.CopyTo(wanted);
        ReadOnlySpan<byte> index = contents.Value.Index.Span;
        int low = 0, high = Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (index.Slice(middle * PackLayout.IndexRowSize, Digest.Size).SequenceCompareTo(wanted) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    /// <summary>The length of a block's unpacked bytes.</summary>
    internal int RawLength(int number) => contents.Value.Blocks[number].RawLength;

    /// <summary>Reads and unpacks a block.</summary>
    internal byte[] ReadBlock(int number)
    {
        byte[] raw = GC.AllocateUninitializedArray<byte>(RawLength(number));
        ReadBlock(number, raw);
        return raw;
    }

    /// <summary>Reads a block and unpacks it into <paramref name="raw"/>, which has <see cref="RawLength"/> bytes.</summary>
    internal void ReadBlock(int number, Span<byte> raw)
    {
        BlockRow row = contents.Value.Blocks[number];
        byte[] rented = ArrayPool<byte>.Shared.Rent(row.StoredLength);
        try
        {
            Span<byte> stored = rented.AsSpan(0, row.StoredLength);
            ReadExactly(stored, row.Offset);
            if (XxHash3.HashToUInt64(stored) != row.Check)
            {
                throw Damaged($"block {number} does not match its checksum");
            }

            if (row.StoredLength == row.RawLength)
            {
                stored.CopyTo(raw);
            }
            else if (LZ4Codec.Decode(stored, raw) != raw.Length)
            {
                throw Damaged($"block {number} does not unpack");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>The SHA-256 of the whole file. An undamaged pack has it as its name.</summary>
    internal Digest HashWhole()
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        byte[] buffer = new byte[256 * 1024];
        for (long offset = 0; ;)
        {
            int count = Read(buffer, offset);
            if (count == 0)
            {
                Span<byte> digest = stackalloc byte[Digest.Size];
                hash.GetHashAndReset(digest);
                return new Digest(digest);
            }

            hash.AppendData(buffer, 0, count);
            offset += count;
        }
    }

    public void Dispose() => file?.Dispose();

    internal CorruptException Damaged(string what) => new(subject, what, remedy);

    /// <summary>
    /// The bytes of a small pack. Null if the pack is larger or cannot be read; in the second case the first look-up reports the error.
    /// </summary>
    private static byte[]? TryReadWhole(SafeFileHandle file)
    {
        if (Sys.Stat(file, out FileStatus status) != Errno.None || status.Size > ReadWhole)
        {
            return null;
        }

        byte[] bytes = new byte[status.Size];
        return Sys.ReadAt(file, bytes, 0, out int count) == Errno.None && count == bytes.Length ? bytes : null;
    }

    private long Size()
    {
        if (whole is not null)
        {
            return whole.Length;
        }

        Sys.Stat(file!, out FileStatus status).ThrowIfFailed("statx", subject);
        return status.Size;
    }

    private Contents Load()
    {
        long size = Size();
        Span<byte> ends = stackalloc byte[PackLayout.FooterSize];
        if (size < PackLayout.HeaderSize + PackLayout.FooterSize)
        {
            throw Damaged("too short for a pack");
        }

        ReadExactly(ends[..PackLayout.HeaderSize], 0);
        bool hasHeader = ends.StartsWith(PackLayout.HeaderMagic)
            && ends[PackLayout.HeaderMagic.Length..PackLayout.HeaderSize].IndexOfAnyExcept((byte)0) < 0;
        ReadExactly(ends, size - PackLayout.FooterSize);
        if (!hasHeader || !PackFooter.TryRead(ends, size, out PackFooter footer))
        {
            throw Damaged("header or footer is not a pack's");
        }

        // The footer's numbers add up to the file's length, so neither table is larger than the file.
        long rowBytes = size - PackLayout.FooterSize - footer.TableOffset;
        if (rowBytes > Array.MaxLength)
        {
            throw Damaged("more objects than a pack takes");
        }

        byte[] rows = GC.AllocateUninitializedArray<byte>((int)rowBytes);
        ReadExactly(rows, footer.TableOffset);
        if (XxHash3.HashToUInt64(rows) != footer.Check)
        {
            throw Damaged("the index does not match its checksum");
        }

        // The blocks must follow each other without overlap. Otherwise a small file could claim the same bytes a million times.
        var blocks = new BlockRow[footer.Blocks];
        long end = PackLayout.HeaderSize;
        for (int i = 0; i < blocks.Length; i++)
        {
            blocks[i] = BlockRow.Read(rows.AsSpan(i * PackLayout.BlockRowSize));
            if (blocks[i].Offset != end || !blocks[i].IsPlausible(footer.TableOffset))
            {
                throw Damaged($"block {i} is out of bounds");
            }

            end += blocks[i].StoredLength;
        }

        if (end != footer.TableOffset)
        {
            throw Damaged("there are bytes between the blocks and their table");
        }

        ReadOnlyMemory<byte> index = rows.AsMemory(blocks.Length * PackLayout.BlockRowSize);
        CheckIndex(index.Span, blocks);
        return new Contents(footer, blocks, index);
    }

    private void CheckIndex(ReadOnlySpan<byte> index, BlockRow[] blocks)
    {
        bool[] isTaken = new bool[blocks.Length];
        ReadOnlySpan<byte> previous = default;
        for (; !index.IsEmpty; index = index[PackLayout.IndexRowSize..])
        {
            IndexRow row = IndexRow.Read(index);
            bool isInBlock = row.Block >= 0 && row.Block < blocks.Length && row.Offset >= 0 && row.Length >= 0
                && row.Offset <= blocks[row.Block].RawLength - row.Length;
            bool isSorted = previous.IsEmpty || previous.SequenceCompareTo(index[..Digest.Size]) < 0;
            bool isKnown = row.Kind is PackedKind.Tree or PackedKind.Commit
                && index[45..PackLayout.IndexRowSize].IndexOfAnyExcept((byte)0) < 0;
            if (!isInBlock || !isSorted || !isKnown)
            {
                throw Damaged($"the index row of {row.Digest} is not valid");
            }

            // To read one object, its block is unpacked. So a long block has one object, as a writer makes it: otherwise a small file could
            // make a reader unpack hundreds of megabytes for each of a million objects.
            if (blocks[row.Block].RawLength > PackLayout.BlockTarget && (isTaken[row.Block] || row.Length != blocks[row.Block].RawLength))
            {
                throw Damaged($"block {row.Block} is longer than {PackLayout.BlockTarget} bytes and has not one object alone");
            }

            isTaken[row.Block] = true;
            previous = index[..Digest.Size];
        }
    }

    private void ReadExactly(Span<byte> buffer, long offset)
    {
        if (Read(buffer, offset) != buffer.Length)
        {
            throw Damaged("cut short");
        }
    }

    private int Read(Span<byte> buffer, long offset)
    {
        if (whole is not null)
        {
            ReadOnlySpan<byte> rest = whole.AsSpan((int)Math.Min(offset, whole.Length));
            rest = rest[..Math.Min(rest.Length, buffer.Length)];
            rest.CopyTo(buffer);
            return rest.Length;
        }

        Sys.ReadAt(file!, buffer, offset, out int count).ThrowIfFailed("pread", subject);
        return count;
    }

    private sealed record Contents(PackFooter Footer, BlockRow[] Blocks, ReadOnlyMemory<byte> Index);
}
