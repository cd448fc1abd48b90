using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// A file of the stat cache, part of which is covered by checksums: each stretch of that part is compared when it is first read. Its
/// methods never throw, because the library that calls them hangs on errors. If something cannot be read, or differs from its checksum,
/// the file becomes <see cref="IsDamaged"/> for good and reads as zeros. If something cannot be written, the file becomes
/// <see cref="IsIncomplete"/>. The owner asks for both afterwards. Thread-safe, except for <see cref="Sums"/>.
/// </summary>
/// <remarks>
/// Whole stretches are compared, not only the values, because addresses of other records lie between the values. The library follows an
/// address without a check, and a wrong one ends the process or makes it hang.
/// </remarks>
internal sealed class StatCacheFile : IDisposable
{
    internal const int StretchLength = 64 * 1024;

    private readonly SafeFileHandle directory;
    private readonly byte[] name;
    private readonly long knownLength;
    private readonly byte[] knownSums;
    private readonly bool[] compared;
    private readonly Lock gate = new();
    private readonly Func<long, bool> mayGrow;
    private SafeFileHandle? file;
    private long writtenSinceAsked;
    private volatile bool isDamaged;
    private volatile bool isIncomplete;

    /// <summary>Opens an existing file. Without checksums, it stands for a new file, which the first write makes.</summary>
    /// <param name="directory">The cache's directory. The caller keeps owning it.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="knownLength">The number of bytes that the checksums cover.</param>
    /// <param name="knownSums">The XXH3 of each stretch of those bytes, 8 bytes each, little-endian.</param>
    /// <param name="mayGrow">Says whether the given number of further bytes may be written.</param>
    internal StatCacheFile(SafeFileHandle directory, string name, long knownLength, byte[] knownSums, Func<long, bool> mayGrow)
    {
        this.directory = directory;
        this.name = System.Text.Encoding.ASCII.GetBytes(name);
        this.knownLength = knownLength;
        this.knownSums = knownSums;
        this.mayGrow = mayGrow;

        // A length that its checksums do not fit is one that nobody wrote.
        bool isKnown = knownLength >= 0 && knownSums.Length == Stretches(knownLength) * sizeof(ulong);
        compared = new bool[isKnown ? Stretches(knownLength) : 0];
        isDamaged = !isKnown || (knownLength > 0 && !TryOpen());
    }

    /// <summary>Whether something could not be read, or differed from its checksum.</summary>
    internal bool IsDamaged => isDamaged;

    /// <summary>Whether something could not be written. The part that the checksums cover is unchanged.</summary>
    internal bool IsIncomplete => isIncomplete;

    /// <summary>The end of the last write, in bytes from the start of the file.</summary>
    internal long Length { get; private set; }

    internal void Read(Span<byte> destination, long offset)
    {
        SafeFileHandle? source = Volatile.Read(ref file);
        if (source is null)
        {
            return;
        }

        bool isRead = Sys.ReadAt(source, destination, offset, out int count) == Errno.None;
        if (!isRead || isDamaged || !Compare(destination[..count], offset, Math.Min(offset + destination.Length, knownLength)))
        {
            isDamaged = true;
            destination.Clear();
        }
    }

    internal void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        lock (gate)
        {
            writtenSinceAsked -= bytes.Length;
            if (writtenSinceAsked < 0)
            {
                // Asking costs a system call, so one answer covers 8 MiB. Other threads go on hashing files meanwhile.
                const int Stride = 8 * 1024 * 1024;
                writtenSinceAsked = Stride;
                isIncomplete |= !mayGrow(bytes.Length + Stride);
            }

            if (!isIncomplete && (file is not null || TryCreate()))
            {
                isIncomplete = Sys.WriteAt(file!, bytes, offset) != Errno.None;
                Length = Math.Max(Length, offset + bytes.Length);
            }
        }
    }

    /// <summary>
    /// The checksums of the first <paramref name="length"/> bytes, for the next run. If the file cannot be read, it becomes damaged.
    /// </summary>
    internal byte[] Sums(long length)
    {
        var sums = new byte[(int)Stretches(length) * sizeof(ulong)];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(StretchLength);
        try
        {
            for (long start = 0; start < length && !isDamaged; start += StretchLength)
            {
                Span<byte> sum = sums.AsSpan((int)(start / StretchLength) * sizeof(ulong), sizeof(ulong));
                if (start + StretchLength <= knownLength)
                {
                    knownSums.AsSpan((int)(start / StretchLength) * sizeof(ulong), sizeof(ulong)).CopyTo(sum);
                    continue;
                }

                Span<byte> stretch = buffer.AsSpan(0, (int)Math.Min(StretchLength, length - start));
                isDamaged |= file is null || Sys.ReadAt(file, stretch, start, out int count) != Errno.None || count != stretch.Length;
                BinaryPrimitives.WriteUInt64LittleEndian(sum, XxHash3.HashToUInt64(stretch));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return sums;
    }

    /// <summary>Removes everything that was written behind the part that the checksums cover.</summary>
    internal void Shorten()
    {
        if (file is not null)
        {
            _ = Sys.Truncate(file, knownLength);
        }
    }

    public void Dispose() => file?.Dispose();

    private static long Stretches(long length) => (length / StretchLength) + (length % StretchLength > 0 ? 1 : 0);

    private bool TryOpen()
    {
        Errno errno = Sys.Open(directory, name, OpenFlags.ReadWrite | OpenFlags.NoFollow, out SafeFileHandle opened);
        file = opened;
        return errno == Errno.None && Sys.Stat(opened, out FileStatus status) == Errno.None
            && status.Type == FileType.Regular && status.Size >= knownLength;
    }

    private bool TryCreate()
    {
        const OpenFlags Flags = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive;
        Errno errno = Sys.Open(directory, name, Flags, out SafeFileHandle created, FileModes.PrivateFile);
        isIncomplete |= errno != Errno.None;
        Volatile.Write(ref file, errno == Errno.None ? created : null);
        return errno == Errno.None;
    }

    /// <summary>Compares the stretches that begin before <paramref name="end"/> and have not been compared yet.</summary>
    private bool Compare(ReadOnlySpan<byte> read, long offset, long end)
    {
        for (long start = offset / StretchLength * StretchLength; start < end; start += StretchLength)
        {
            int number = (int)(start / StretchLength);
            if (Volatile.Read(ref compared[number]))
            {
                continue;
            }

            int length = (int)Math.Min(StretchLength, knownLength - start);
            long at = start - offset;
            bool isSame = at >= 0 && at + length <= read.Length ? IsSame(number, read.Slice((int)at, length)) : IsSameOnDisk(number, start, length);
            if (!isSame)
            {
                return false;
            }

            Volatile.Write(ref compared[number], true);
        }

        return true;
    }

    private bool IsSameOnDisk(int number, long start, int length)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        Errno errno = Sys.ReadAt(file!, buffer.AsSpan(0, length), start, out int count);
        bool isSame = errno == Errno.None && count == length && IsSame(number, buffer.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(buffer);
        return isSame;
    }

    private bool IsSame(int number, ReadOnlySpan<byte> stretch) =>
        XxHash3.HashToUInt64(stretch) == BinaryPrimitives.ReadUInt64LittleEndian(knownSums.AsSpan(number * sizeof(ulong)));
}
