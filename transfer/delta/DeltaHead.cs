using System.Buffers.Binary;
using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>A frame of a delta.</summary>
/// <param name="Base">The blob of the old commit that it is decompressed with; none for a frame that stands alone.</param>
/// <param name="BaseLength">The length of that blob; 0 for none.</param>
/// <param name="StoredLength">Its length in the delta.</param>
/// <param name="RawLength">Its length after decompression.</param>
/// <param name="Blobs">The blobs in it, each with its offset in the raw bytes.</param>
public sealed record DeltaFrame(Digest Base, long BaseLength, long StoredLength, long RawLength, IReadOnlyList<(Digest Blob, int Offset)> Blobs)
{
    /// <summary>Whether it is decompressed with a blob of the old commit.</summary>
    public bool HasBase => !Base.IsNone;
}

/// <summary>
/// What stands before the pack and the frames of a delta (transfer/FORMAT.md, section 7). Immutable. A delta comes from elsewhere, so every number in it is
/// checked before there is a value of this type.
/// </summary>
/// <param name="From">The commit that a reader must have; none over a link, if both ends have none.</param>
/// <param name="To">The commit that it gets.</param>
/// <param name="PackLength">The length of the pack, in bytes. Over a link it may be 0, where the reader has the trees.</param>
/// <param name="Frames">The frames, in the order of the file.</param>
/// <param name="Signatures">Signatures of the commit, as a text; mostly empty.</param>
public sealed record DeltaHead(Digest From, Digest To, long PackLength, IReadOnlyList<DeltaFrame> Frames, byte[] Signatures)
{
    /// <summary>The longest blob that a frame with a base has, and the longest base. Both are held in memory.</summary>
    public const int MaxPatched = 64 * 1024 * 1024;

    // Rows are held in memory: these are some six million blobs.
    private const long MaxRows = 256 * 1024 * 1024;

    private const int HeaderSize = 96;
    private const int FrameRowSize = 64;
    private const int BlobRowSize = 40;

    private static ReadOnlySpan<byte> Magic => "HTDELTA1"u8;

    /// <summary>The length of all this in the file: the pack begins behind it.</summary>
    public int Length => HeaderSize + (Frames.Count * FrameRowSize) + (Frames.Sum(frame => frame.Blobs.Count) * BlobRowSize) + Signatures.Length;

    /// <summary>The bytes.</summary>
    public byte[] Encode()
    {
        byte[] bytes = new byte[Length];
        Span<byte> rest = bytes;
        Magic.CopyTo(rest);
        From.CopyTo(rest[8..]);
        To.CopyTo(rest[40..]);
        BinaryPrimitives.WriteInt32LittleEndian(rest[72..], Frames.Count);
        BinaryPrimitives.WriteInt32LittleEndian(rest[76..], Frames.Sum(frame => frame.Blobs.Count));
        BinaryPrimitives.WriteInt32LittleEndian(rest[80..], Signatures.Length);
        BinaryPrimitives.WriteInt64LittleEndian(rest[88..], PackLength);
        rest = rest[HeaderSize..];
        foreach (DeltaFrame frame in Frames)
        {
            frame.Base.CopyTo(rest);
            BinaryPrimitives.WriteInt64LittleEndian(rest[32..], frame.BaseLength);
            BinaryPrimitives.WriteInt64LittleEndian(rest[40..], frame.StoredLength);
            BinaryPrimitives.WriteInt64LittleEndian(rest[48..], frame.RawLength);
            BinaryPrimitives.WriteInt32LittleEndian(rest[56..], frame.Blobs.Count);
            rest = rest[FrameRowSize..];
        }

        foreach ((Digest blob, int offset) in Frames.SelectMany(frame => frame.Blobs))
        {
            blob.CopyTo(rest);
            BinaryPrimitives.WriteInt32LittleEndian(rest[32..], offset);
            rest = rest[BlobRowSize..];
        }

        Signatures.CopyTo(rest);
        return bytes;
    }

    /// <summary>Reads the beginning of a delta. Null, with the reason, for what is none, or not a whole one.</summary>
    public static DeltaHead? TryRead(Stream file, out string error)
    {
        error = "it is no delta";
        byte[] header = new byte[HeaderSize];
        if (file.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize
            || !header.AsSpan().StartsWith(Magic) || BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(84)) != 0)
        {
            return null;
        }

        error = "it is no whole delta";
        int frameCount = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(72));
        int blobCount = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(76));
        int signatureLength = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(80));
        long packLength = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(88));
        long rows = ((long)frameCount * FrameRowSize) + ((long)blobCount * BlobRowSize);
        bool isShort = frameCount >= 0 && blobCount >= 0 && rows <= MaxRows && signatureLength is >= 0 and <= Store.Signatures.MaxLength;
        if (!isShort || packLength < 0 || packLength > file.Length - HeaderSize - rows - signatureLength)
        {
            return null;
        }

        byte[] rest = new byte[rows + signatureLength];
        file.ReadExactly(rest);
        error = "its blobs do not fit into its frames";
        DeltaFrame[]? frames = ReadFrames(rest.AsSpan(0, frameCount * FrameRowSize), rest.AsSpan(frameCount * FrameRowSize, blobCount * BlobRowSize));
        if (frames is null)
        {
            return null;
        }

        error = "its frames do not fit into it";
        return Fill(frames, file.Length - HeaderSize - rest.Length - packLength)
            ? new DeltaHead(new Digest(header.AsSpan(8, Digest.Size)), new Digest(header.AsSpan(40, Digest.Size)), packLength, frames, rest[(int)rows..])
            : null;
    }

    private static DeltaFrame[]? ReadFrames(ReadOnlySpan<byte> frameRows, ReadOnlySpan<byte> blobRows)
    {
        var frames = new DeltaFrame[frameRows.Length / FrameRowSize];
        for (int i = 0; i < frames.Length; i++)
        {
            ReadOnlySpan<byte> row = frameRows.Slice(i * FrameRowSize, FrameRowSize);
            int count = BinaryPrimitives.ReadInt32LittleEndian(row[56..]);
            if (count < 1 || count > blobRows.Length / BlobRowSize || BinaryPrimitives.ReadInt32LittleEndian(row[60..]) != 0)
            {
                return null;
            }

            long rawLength = BinaryPrimitives.ReadInt64LittleEndian(row[48..]);
            (Digest, int)[]? blobs = ReadBlobs(blobRows[..(count * BlobRowSize)], rawLength);
            if (blobs is null)
            {
                return null;
            }

            frames[i] = new DeltaFrame(
                new Digest(row[..Digest.Size]),
                BinaryPrimitives.ReadInt64LittleEndian(row[32..]),
                BinaryPrimitives.ReadInt64LittleEndian(row[40..]),
                rawLength,
                blobs);
            blobRows = blobRows[(count * BlobRowSize)..];
        }

        return blobRows.IsEmpty ? frames : null;
    }

    /// <summary>Reads the blobs of one frame; null if they are not one after another in it.</summary>
    private static (Digest, int)[]? ReadBlobs(ReadOnlySpan<byte> rows, long rawLength)
    {
        var blobs = new (Digest, int)[rows.Length / BlobRowSize];
        long least = 0;
        for (int i = 0; i < blobs.Length; i++)
        {
            ReadOnlySpan<byte> row = rows.Slice(i * BlobRowSize, BlobRowSize);
            int offset = BinaryPrimitives.ReadInt32LittleEndian(row[32..]);
            if (offset < least || (i == 0 && offset != 0) || offset >= rawLength || BinaryPrimitives.ReadInt32LittleEndian(row[36..]) != 0)
            {
                return null;
            }

            blobs[i] = (new Digest(row[..Digest.Size]), offset);
            least = offset + 1L;
        }

        return blobs;
    }

    /// <summary>Whether the frames have lengths that are allowed, and together the length that is left in the file.</summary>
    private static bool Fill(DeltaFrame[] frames, long length)
    {
        foreach (DeltaFrame frame in frames)
        {
            bool isAllowed = frame.HasBase
                ? frame.BaseLength is > 0 and <= MaxPatched && frame.RawLength <= MaxPatched && frame.StoredLength <= MaxPatched && frame.Blobs.Count == 1
                : frame.BaseLength == 0 && (frame.RawLength <= BundleIndex.MaxSharedFrame || frame.Blobs.Count == 1);
            if (!isAllowed || frame.StoredLength <= 0 || frame.StoredLength > length)
            {
                return false;
            }

            length -= frame.StoredLength;
        }

        return length == 0;
    }
}
