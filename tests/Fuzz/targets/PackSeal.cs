using System.Buffers.Binary;
using System.IO.Hashing;
using HackTree.Store;

namespace HackTree.Tests.Fuzz;

/// <summary>Puts the checksums of a changed pack right, as far as its own numbers say where they are.</summary>
internal static class PackSeal
{
    private const int CheckOffset = 32;
    private const int FooterCheckOffset = 56;
    private const int BlockCheckOffset = 16;

    public static byte[] Of(byte[] pack)
    {
        int footerAt = pack.Length - PackLayout.FooterSize;
        if (footerAt < PackLayout.HeaderSize)
        {
            return pack;
        }

        Span<byte> footer = pack.AsSpan(footerAt);
        long table = BinaryPrimitives.ReadInt64LittleEndian(footer[16..]), index = BinaryPrimitives.ReadInt64LittleEndian(footer[24..]);
        if (table < 0 || table > footerAt)
        {
            return pack;
        }

        for (long row = table; row < index && row + PackLayout.BlockRowSize <= footerAt; row += PackLayout.BlockRowSize)
        {
            BlockRow block = BlockRow.Read(pack.AsSpan((int)row));
            if (block.Offset >= 0 && block.StoredLength >= 0 && block.Offset <= pack.Length - block.StoredLength)
            {
                ulong check = XxHash3.HashToUInt64(pack.AsSpan((int)block.Offset, block.StoredLength));
                BinaryPrimitives.WriteUInt64LittleEndian(pack.AsSpan((int)row + BlockCheckOffset), check);
            }
        }

        BinaryPrimitives.WriteUInt64LittleEndian(footer[CheckOffset..], XxHash3.HashToUInt64(pack.AsSpan((int)table, footerAt - (int)table)));
        BinaryPrimitives.WriteUInt64LittleEndian(footer[FooterCheckOffset..], XxHash3.HashToUInt64(footer[..FooterCheckOffset]));
        return pack;
    }
}
