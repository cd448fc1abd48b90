namespace HackTree.Checkout;

/// <summary>
/// The CRC64 of xz: the polynomial of ECMA-182, lowest bit first. System.IO.Hashing has this polynomial only with the highest bit first.
/// </summary>
internal static class XzCrc64
{
    private const ulong Polynomial = 0xC96C5795D7870F42;

    private static readonly ulong[] Table = MakeTable();

    /// <summary>Begin with all bits set; the checksum is the complement of the last state.</summary>
    internal static ulong Append(ulong state, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            state = Table[(byte)(state ^ b)] ^ (state >> 8);
        }

        return state;
    }

    private static ulong[] MakeTable()
    {
        ulong[] table = new ulong[256];
        for (int i = 0; i < table.Length; i++)
        {
            ulong value = (ulong)i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value >> 1) ^ ((value & 1) * Polynomial);
            }

            table[i] = value;
        }

        return table;
    }
}
