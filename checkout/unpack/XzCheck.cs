using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;

namespace HackTree.Checkout;

/// <summary>The integrity check of an xz stream's blocks: section 2.1.1.2 of The .xz File Format 1.1.</summary>
internal sealed class XzCheck(byte number) : IDisposable
{
    internal const int LongestLength = 64;
    internal const byte Crc32Number = 1;
    private const byte Crc64Number = 4, Sha256Number = 10;

    private readonly Crc32 crc32 = new();
    private readonly IncrementalHash? sha256 = number == Sha256Number ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private ulong crc64 = ulong.MaxValue;

    /// <summary>The bytes of the check behind a block: 0, 4, 8, 16, 32 or 64.</summary>
    internal int Length => number == 0 ? 0 : sizeof(uint) << ((number - 1) / 3);

    internal string Name => number switch
    {
        0 => "none",
        Crc32Number => "crc32",
        Crc64Number => "crc64",
        Sha256Number => "sha256",
        _ => $"number {number}",
    };

    internal void Append(ReadOnlySpan<byte> bytes)
    {
        switch (number)
        {
            case Crc32Number:
                crc32.Append(bytes);
                break;
            case Crc64Number:
                crc64 = XzCrc64.Append(crc64, bytes);
                break;
            default:
                sha256?.AppendData(bytes);
                break;
        }
    }

    /// <summary>Ends a block. Whether its check is the stored one; a check of an unknown kind is not compared, as the format asks.</summary>
    internal bool TakeAgreesWith(ReadOnlySpan<byte> stored)
    {
        switch (number)
        {
            case Crc32Number:
                return crc32.GetCurrentHashAsUInt32() == BinaryPrimitives.ReadUInt32LittleEndian(stored) && Reset();
            case Crc64Number:
                return ~crc64 == BinaryPrimitives.ReadUInt64LittleEndian(stored) && Reset();
            default:
                return sha256 is null || stored.SequenceEqual(sha256.GetHashAndReset());
        }
    }

    public void Dispose() => sha256?.Dispose();

    private bool Reset()
    {
        crc32.Reset();
        crc64 = ulong.MaxValue;
        return true;
    }
}
