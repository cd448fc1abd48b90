using System.Security.Cryptography;

namespace HackTree.Model;

/// <summary>
/// The fs-verity digest of a file: what `fsverity digest FILE` prints, with SHA-256, 4096-byte blocks and no salt
/// (kernel document filesystems/fsverity, "Merkle tree" and "File digest computation").
/// </summary>
/// <remarks>
/// The content is cut into blocks of 4096 bytes, the last one filled up with zeros; each block's SHA-256 is a leaf.
/// 128 hashes fill a hash block, which is hashed in turn, until one hash is left: the root hash. A file of one block has
/// that block's hash as root; an empty file has 32 zero bytes. The digest is the SHA-256 of a 256-byte descriptor that
/// holds the root hash and the size. Here a file is cut into segments of 128 blocks, each of which gives one hash of the
/// tree's first level: segments can be hashed in any order and on any core, then go to a <see cref="VerityTree"/> in order.
/// </remarks>
public static class Verity
{
    /// <summary>Bytes in a block of content, and in a block of hashes.</summary>
    public const int BlockSize = 4096;

    /// <summary>Bytes of content under one first-level hash: 128 blocks, 512 KiB.</summary>
    public const int SegmentSize = HashesPerBlock * BlockSize;

    internal const int HashesPerBlock = BlockSize / Digest.Size;

    /// <summary>The number of segments of a file of <paramref name="size"/> bytes.</summary>
    public static long SegmentCount(long size) => (size / SegmentSize) + (size % SegmentSize == 0 ? 0 : 1);

    /// <summary>The digest of content that is in memory.</summary>
    public static Digest Compute(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Digest.Size];
        if (content.Length <= SegmentSize)
        {
            // Nearly every file: its only segment's hash is the root hash, and no tree is needed.
            hash.Clear();
            if (!content.IsEmpty)
            {
                HashSegment(content, content.Length, hash);
            }

            return VerityTree.DigestOf(content.Length, hash);
        }

        var tree = new VerityTree(content.Length);
        for (ReadOnlySpan<byte> rest = content; !rest.IsEmpty; rest = rest[Math.Min(rest.Length, SegmentSize)..])
        {
            HashSegment(rest[..Math.Min(rest.Length, SegmentSize)], content.Length, hash);
            tree.Append(hash);
        }

        return tree.Finish();
    }

    /// <summary>
    /// Hashes one segment of a file of <paramref name="fileSize"/> bytes: <see cref="SegmentSize"/> bytes of it, or fewer at
    /// its end, but at least one. Writes 32 bytes to <paramref name="hash"/>. Thread-safe.
    /// </summary>
    public static void HashSegment(ReadOnlySpan<byte> segment, long fileSize, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfZero(segment.Length, nameof(segment));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(segment.Length, SegmentSize, nameof(segment));
        Span<byte> hashes = stackalloc byte[BlockSize];
        hashes.Clear();
        int used = 0;
        for (; segment.Length >= BlockSize; segment = segment[BlockSize..])
        {
            SHA256.HashData(segment[..BlockSize], hashes[used..]);
            used += Digest.Size;
        }

        if (segment.Length > 0)
        {
            Span<byte> last = stackalloc byte[BlockSize];
            segment.CopyTo(last);
            last[segment.Length..].Clear();
            SHA256.HashData(last, hashes[used..]);
        }

        // A file of a single block has no hash block: the block's hash is the root.
        if (fileSize <= BlockSize)
        {
            hashes[..Digest.Size].CopyTo(hash);
        }
        else
        {
            SHA256.HashData(hashes, hash);
        }
    }
}
