using System.Buffers.Binary;
using System.Security.Cryptography;

namespace HackTree.Model;

/// <summary>
/// The Merkle tree above a file's segments (<see cref="Verity"/>). Takes their hashes in order and keeps one block of 4096 bytes for each
/// level, so memory does not grow with the file.
/// </summary>
public sealed class VerityTree
{
    // struct fsverity_descriptor, 256 bytes, little-endian: 0 version, 1 hash algorithm, 2 log2 of the block size,
    // 3 salt size, 4 reserved, 8 u64 data size, 16 root hash [64], 80 salt [32], 112 reserved [144].
    private const int DescriptorSize = 256;
    private const int DescriptorDataSize = 8;
    private const int DescriptorRootHash = 16;
    private const byte AlgorithmSha256 = 1;
    private const byte LogBlockSize = 12;

    private readonly long fileSize;
    private readonly List<Level> levels = [];
    private long appended;

    /// <summary>Starts the tree of a file of <paramref name="fileSize"/> bytes.</summary>
    public VerityTree(long fileSize) => this.fileSize = fileSize;

    /// <summary>Takes the 32-byte hash of the next segment.</summary>
    public void Append(ReadOnlySpan<byte> segmentHash)
    {
        appended++;
        Append(0, segmentHash);
    }

    /// <summary>The digest, once every segment's hash was appended. The tree cannot be used afterwards.</summary>
    public Digest Finish()
    {
        if (appended != Verity.SegmentCount(fileSize))
        {
            throw new InvalidOperationException($"{appended} segments of {Verity.SegmentCount(fileSize)} were given");
        }

        return DigestOf(fileSize, appended > 0 ? Root() : default);
    }

    /// <summary>The digest of a file with this size and root hash. The root hash is empty for an empty file.</summary>
    internal static Digest DigestOf(long fileSize, ReadOnlySpan<byte> rootHash)
    {
        Span<byte> descriptor = stackalloc byte[DescriptorSize];
        descriptor.Clear();
        descriptor[0] = 1;
        descriptor[1] = AlgorithmSha256;
        descriptor[2] = LogBlockSize;
        BinaryPrimitives.WriteInt64LittleEndian(descriptor[DescriptorDataSize..], fileSize);
        rootHash.CopyTo(descriptor[DescriptorRootHash..]);
        return Digest.Of(descriptor);
    }

    private ReadOnlySpan<byte> Root()
    {
        Span<byte> hash = stackalloc byte[Digest.Size];
        int top = 0;
        while (top < levels.Count - 1 || levels[top].Used > Digest.Size)
        {
            levels[top].HashInto(hash);
            Append(++top, hash);
        }

        return levels[top].Block.AsSpan(0, Digest.Size);
    }

    private void Append(int index, ReadOnlySpan<byte> hash)
    {
        if (index == levels.Count)
        {
            levels.Add(new Level());
        }

        // A full block moves up only when another hash follows: the last block of a level may hold the root hash.
        Level level = levels[index];
        if (level.Used == Verity.BlockSize)
        {
            Span<byte> above = stackalloc byte[Digest.Size];
            level.HashInto(above);
            Append(index + 1, above);
            level.Used = 0;
        }

        hash.CopyTo(level.Block.AsSpan(level.Used));
        level.Used += Digest.Size;
    }

    /// <summary>One level of the tree: the block of hashes that is being filled.</summary>
    private sealed class Level
    {
        public byte[] Block { get; } = new byte[Verity.BlockSize];

        public int Used { get; set; }

        public void HashInto(Span<byte> result)
        {
            Block.AsSpan(Used).Clear();
            SHA256.HashData(Block, result);
        }
    }
}
