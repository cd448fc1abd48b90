using System.Buffers.Binary;
using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>A frame of a bundle.</summary>
/// <param name="Bundle">The number of its bundle in the index.</param>
/// <param name="Offset">Its offset in the bundle, in bytes.</param>
/// <param name="StoredLength">Its length in the bundle.</param>
/// <param name="RawLength">Its length after decompression.</param>
public readonly record struct Frame(int Bundle, long Offset, long StoredLength, long RawLength)
{
    /// <summary>The offset right behind it.</summary>
    public long End => Offset + StoredLength;
}

/// <summary>Where a blob is.</summary>
/// <param name="Frame">The number of its frame in the index.</param>
/// <param name="Offset">Its offset in the frame's raw bytes.</param>
public readonly record struct BlobPlace(int Frame, int Offset);

/// <summary>A bundle, as an index names it.</summary>
/// <param name="Digest">The SHA-256 of its bytes.</param>
/// <param name="Length">Its length in bytes.</param>
public readonly record struct BundleName(Digest Digest, long Length);

/// <summary>
/// The index of a generation: where its blobs are in its bundles (transfer/FORMAT.md, section 2). Immutable. An index comes from a remote, so every number in
/// it is checked before there is a value of this type.
/// </summary>
public sealed class BundleIndex
{
    /// <summary>The longest raw length of a frame that holds several blobs. Such a frame is decompressed in memory.</summary>
    public const int MaxSharedFrame = 1024 * 1024;

    /// <summary>The longest index that is read, in bytes: some six million blobs.</summary>
    public const int MaxLength = 256 * 1024 * 1024;

    private const int HeaderSize = 24;
    private const int BundleRowSize = 40;
    private const int FrameRowSize = 32;
    private const int BlobRowSize = 40;

    private readonly ReadOnlyMemory<byte> blobs;
    private readonly Frame[] frames;

    private BundleIndex(BundleName[] bundles, Frame[] frames, ReadOnlyMemory<byte> blobs)
    {
        Bundles = bundles;
        this.frames = frames;
        this.blobs = blobs;
    }

    private static ReadOnlySpan<byte> Magic => "HTINDEX1"u8;

    /// <summary>The bundles.</summary>
    public IReadOnlyList<BundleName> Bundles { get; }

    /// <summary>The frames, in the order of bundles and offsets.</summary>
    public IReadOnlyList<Frame> Frames => frames;

    /// <summary>The number of blobs.</summary>
    public int Count => blobs.Length / BlobRowSize;

    /// <summary>Finds a blob by binary search.</summary>
    public bool TryFind(Digest blob, out BlobPlace place)
    {
        Span<byte> wanted = stackalloc byte[Digest.Size];
        blob.CopyTo(wanted);
        int low = 0, high = Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            int order = Row(middle)[..Digest.Size].SequenceCompareTo(wanted);
            if (order == 0)
            {
                place = PlaceIn(Row(middle));
                return true;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle);
        }

        place = default;
        return false;
    }

    /// <summary>The bytes of an index. The blobs may be in any order.</summary>
    public static byte[] Encode(IReadOnlyList<BundleName> bundles, IReadOnlyList<Frame> frames, IEnumerable<(Digest Blob, BlobPlace Place)> blobs)
    {
        (Digest Blob, BlobPlace Place)[] sorted = [.. blobs.OrderBy(blob => blob.Blob)];
        byte[] bytes = new byte[HeaderSize + (bundles.Count * BundleRowSize) + (frames.Count * FrameRowSize) + (sorted.Length * BlobRowSize)];
        Span<byte> rest = bytes;
        Magic.CopyTo(rest);
        BinaryPrimitives.WriteInt32LittleEndian(rest[8..], bundles.Count);
        BinaryPrimitives.WriteInt32LittleEndian(rest[12..], frames.Count);
        BinaryPrimitives.WriteInt32LittleEndian(rest[16..], sorted.Length);
        rest = rest[HeaderSize..];
        foreach (BundleName bundle in bundles)
        {
            bundle.Digest.CopyTo(rest);
            BinaryPrimitives.WriteInt64LittleEndian(rest[32..], bundle.Length);
            rest = rest[BundleRowSize..];
        }

        foreach (Frame frame in frames)
        {
            BinaryPrimitives.WriteInt32LittleEndian(rest, frame.Bundle);
            BinaryPrimitives.WriteInt64LittleEndian(rest[8..], frame.Offset);
            BinaryPrimitives.WriteInt64LittleEndian(rest[16..], frame.StoredLength);
            BinaryPrimitives.WriteInt64LittleEndian(rest[24..], frame.RawLength);
            rest = rest[FrameRowSize..];
        }

        foreach ((Digest blob, BlobPlace place) in sorted)
        {
            blob.CopyTo(rest);
            BinaryPrimitives.WriteInt32LittleEndian(rest[32..], place.Frame);
            BinaryPrimitives.WriteInt32LittleEndian(rest[36..], place.Offset);
            rest = rest[BlobRowSize..];
        }

        return bytes;
    }

    /// <summary>Checks every number of an index. Null, with the reason, for bytes that <see cref="Encode"/> would not have made.</summary>
    public static BundleIndex? TryDecode(ReadOnlyMemory<byte> bytes, out string error)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        error = "it is no index";
        if (span.Length < HeaderSize || !span.StartsWith(Magic) || BinaryPrimitives.ReadInt32LittleEndian(span[20..]) != 0)
        {
            return null;
        }

        int bundleCount = BinaryPrimitives.ReadInt32LittleEndian(span[8..]);
        int frameCount = BinaryPrimitives.ReadInt32LittleEndian(span[12..]);
        int blobCount = BinaryPrimitives.ReadInt32LittleEndian(span[16..]);
        long bundleBytes = (long)bundleCount * BundleRowSize, frameBytes = (long)frameCount * FrameRowSize, blobBytes = (long)blobCount * BlobRowSize;
        if (bundleCount < 0 || frameCount < 0 || blobCount < 0 || HeaderSize + bundleBytes + frameBytes + blobBytes != span.Length)
        {
            error = "its length is not what its header says";
            return null;
        }

        BundleName[] bundles = ReadBundles(span.Slice(HeaderSize, (int)bundleBytes));
        ReadOnlyMemory<byte> blobs = bytes[(int)(HeaderSize + bundleBytes + frameBytes)..];
        error = "its frames do not fit into its bundles";
        Frame[]? frames = ReadFrames(span.Slice((int)(HeaderSize + bundleBytes), (int)frameBytes), bundles);
        if (frames is null)
        {
            return null;
        }

        error = "its blobs do not fit into its frames, or are not sorted";
        return AreBlobsValid(blobs.Span, frames) ? new BundleIndex(bundles, frames, blobs) : null;
    }

    private static BundleName[] ReadBundles(ReadOnlySpan<byte> rows)
    {
        var bundles = new BundleName[rows.Length / BundleRowSize];
        for (int i = 0; i < bundles.Length; i++)
        {
            ReadOnlySpan<byte> row = rows.Slice(i * BundleRowSize, BundleRowSize);
            bundles[i] = new BundleName(new Digest(row[..Digest.Size]), BinaryPrimitives.ReadInt64LittleEndian(row[32..]));
        }

        return bundles;
    }

    private static Frame[]? ReadFrames(ReadOnlySpan<byte> rows, BundleName[] bundles)
    {
        var frames = new Frame[rows.Length / FrameRowSize];
        (int bundle, long end) = (0, 0L);
        for (int i = 0; i < frames.Length; i++)
        {
            ReadOnlySpan<byte> row = rows.Slice(i * FrameRowSize, FrameRowSize);
            frames[i] = new Frame(
                BinaryPrimitives.ReadInt32LittleEndian(row),
                BinaryPrimitives.ReadInt64LittleEndian(row[8..]),
                BinaryPrimitives.ReadInt64LittleEndian(row[16..]),
                BinaryPrimitives.ReadInt64LittleEndian(row[24..]));
            Frame frame = frames[i];
            end = frame.Bundle == bundle ? end : 0;
            bool isInBundle = frame.Bundle >= bundle && frame.Bundle < bundles.Length && frame.Offset >= end
                && frame.StoredLength > 0 && frame.RawLength > 0 && frame.Offset <= bundles[frame.Bundle].Length - frame.StoredLength;
            if (!isInBundle || BinaryPrimitives.ReadInt32LittleEndian(row[4..]) != 0)
            {
                return null;
            }

            (bundle, end) = (frame.Bundle, frame.End);
        }

        return frames;
    }

    private static bool AreBlobsValid(ReadOnlySpan<byte> rows, Frame[] frames)
    {
        int[] blobsOf = new int[frames.Length];
        ReadOnlySpan<byte> previous = default;
        for (; !rows.IsEmpty; rows = rows[BlobRowSize..])
        {
            BlobPlace place = PlaceIn(rows);
            bool isSorted = previous.IsEmpty || previous.SequenceCompareTo(rows[..Digest.Size]) < 0;
            if (!isSorted || place.Frame < 0 || place.Frame >= frames.Length || place.Offset < 0 || place.Offset >= frames[place.Frame].RawLength)
            {
                return false;
            }

            // A long frame is decompressed into the one file that it holds, so it holds no other.
            blobsOf[place.Frame]++;
            if (frames[place.Frame].RawLength > MaxSharedFrame && (blobsOf[place.Frame] > 1 || place.Offset > 0))
            {
                return false;
            }

            previous = rows[..Digest.Size];
        }

        return true;
    }

    private static BlobPlace PlaceIn(ReadOnlySpan<byte> row) =>
        new(BinaryPrimitives.ReadInt32LittleEndian(row[32..]), BinaryPrimitives.ReadInt32LittleEndian(row[36..]));

    private ReadOnlySpan<byte> Row(int number) => blobs.Span.Slice(number * BlobRowSize, BlobRowSize);
}
