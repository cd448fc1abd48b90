using System.Security.Cryptography;

namespace HackTree.Model;

/// <summary>
/// The fs-verity digest of a file: what `fsverity digest FILE` prints, with SHA-256, 4096-byte blocks and no salt
/// (kernel document filesystems/fsverity, "Merkle tree" and "File digest computation").
/// </summary>
/// <remarks>
/// The content is cut into blocks of 4096 bytes, and the last block is filled up with zeros. Each block's SHA-256 is a leaf. 128 hashes
/// fill a hash block, which is hashed again, until one hash is left: the root hash. The root hash of a file of one block is that block's
/// hash. The root hash of an empty file is 32 zero bytes. The digest is the SHA-256 of a 256-byte descriptor that holds the root hash and
/// the size. This class cuts a file into segments of 128 blocks. Each segment makes one hash of the level above the leaves, so segments can
/// be hashed in any order and on any core. Their hashes then go to a <see cref="VerityTree"/> in order.
/// </remarks>
public static class Verity
{
    /// <summary>Bytes in a block of content, and in a block of hashes.</summary>
    public const int BlockSize = 4096;

    /// <summary>Bytes of content under one first-level hash: 128 blocks, 512 KiB.</summary>
    public const int SegmentSize = HashesPerBlock * BlockSize;

    internal const int HashesPerBlock = BlockSize / Digest.Size;

    private static readonly byte[] HashOfZeros = SHA256.HashData(new byte[BlockSize]);

    /// <summary>The number of segments of a file of <paramref name="size"/> bytes.</summary>
    public static long SegmentCount(long size) => (size / SegmentSize) + (size % SegmentSize == 0 ? 0 : 1);

    /// <summary>The digest of content that is in memory.</summary>
    public static Digest Compute(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Digest.Size];
        if (content.Length <= SegmentSize)
        {
            // Nearly every file is this short. Its only segment's hash is the root hash, so no tree is needed.
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
    /// Hashes one segment of a file of <paramref name="fileSize"/> bytes. A segment has <see cref="SegmentSize"/> bytes; the last one may
    /// have fewer, but at least one. Writes 32 bytes to <paramref name="hash"/>. Thread-safe.
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
            HashBlock(segment[..BlockSize], hashes[used..]);
            used += Digest.Size;
        }

        if (segment.Length > 0)
        {
            Span<byte> last = stackalloc byte[BlockSize];
            segment.CopyTo(last);
            last[segment.Length..].Clear();
            SHA256.HashData(last, hashes[used..]);
        }

        // A file of one block has no hash block: the block's hash is the root hash.
        if (fileSize <= BlockSize)
        {
            hashes[..Digest.Size].CopyTo(hash);
        }
        else
        {
            SHA256.HashData(hashes, hash);
        }
    }

    // Archives and remotes give no holes to pass over, and to see that a block has zeros only takes far less than to hash it.
    private static void HashBlock(ReadOnlySpan<byte> block, Span<byte> hash)
    {
        if (block.ContainsAnyExcept((byte)0))
        {
            SHA256.HashData(block, hash);
        }
        else
        {
            HashOfZeros.CopyTo(hash);
        }
    }
}
