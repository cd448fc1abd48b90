using System.Buffers.Binary;

namespace HackTree.Checkout;

/// <summary>
/// The 512-byte block before each entry of a tar archive (IEEE Std 1003.1, pax, "ustar Interchange Format"). Older archives and GNU
/// archives differ in the fields after the link name (GNU tar manual, "Basic Tar Format").
/// <code>
///   0 name[100]                             157 link name[100]
/// 100 mode[8]   octal, like all numbers     257 magic[6] "ustar\0"     } GNU: "ustar  \0"
/// 108 uid[8]                                263 version[2] "00"        }
/// 116 gid[8]                                265 user name[32]          (not used: owners are numbers here)
/// 124 size[12]  of the content              297 group name[32]
/// 136 mtime[12] seconds since 1970          329 device major[8]
/// 148 checksum[8]                           337 device minor[8]
/// 156 type[1]                               345 prefix[155]            goes before name with a '/'; GNU: other things
///                                           500 zero[12]
/// </code>
/// A number is octal digits with blanks or NULs around them. A number that does not fit is written by GNU tar as a big-endian two's
/// complement number with a mark in the first bit ("base-256").
/// </summary>
internal static class TarHeader
{
    internal const int BlockSize = 512;

    internal const int NameOffset = 0;
    internal const int NameSize = 100;
    internal const int ModeOffset = 100;
    internal const int UidOffset = 108;
    internal const int GidOffset = 116;
    internal const int SizeOffset = 124;
    internal const int TimeOffset = 136;
    internal const int ChecksumOffset = 148;
    internal const int TypeOffset = 156;
    internal const int LinkOffset = 157;
    internal const int LinkSize = 100;
    internal const int MagicOffset = 257;
    internal const int MajorOffset = 329;
    internal const int MinorOffset = 337;
    internal const int PrefixOffset = 345;
    internal const int PrefixSize = 155;

    /// <summary>The length of the fields mode, uid, gid, checksum, device major and device minor.</summary>
    internal const int NumberSize = 8;

    /// <summary>The length of the fields size and mtime.</summary>
    internal const int LongNumberSize = 12;

    /// <summary>
    /// The largest number that <see cref="PutOctal"/> writes into <see cref="NumberSize"/> bytes: seven digits and a NUL.
    /// </summary>
    internal const long MaxNumber = (1L << (3 * (NumberSize - 1))) - 1;

    /// <summary>
    /// The largest number that <see cref="PutOctal"/> writes into <see cref="LongNumberSize"/> bytes: eleven digits and a NUL.
    /// </summary>
    internal const long MaxLongNumber = (1L << (3 * (LongNumberSize - 1))) - 1;

    internal const byte OldRegularType = 0;
    internal const byte RegularType = (byte)'0';
    internal const byte HardLinkType = (byte)'1';
    internal const byte SymlinkType = (byte)'2';
    internal const byte CharacterDeviceType = (byte)'3';
    internal const byte BlockDeviceType = (byte)'4';
    internal const byte DirectoryType = (byte)'5';
    internal const byte FifoType = (byte)'6';
    internal const byte ContiguousType = (byte)'7';
    internal const byte PaxType = (byte)'x';
    internal const byte PaxGlobalType = (byte)'g';
    internal const byte SolarisPaxType = (byte)'X';
    internal const byte GnuDirectoryType = (byte)'D';
    internal const byte GnuLongLinkType = (byte)'K';
    internal const byte GnuLongNameType = (byte)'L';
    internal const byte GnuMultiVolumeType = (byte)'M';
    internal const byte GnuSparseType = (byte)'S';
    internal const byte GnuVolumeLabelType = (byte)'V';

    /// <summary>The bytes at <see cref="MagicOffset"/> as POSIX has them: magic and version. Every header of this magic has a prefix.</summary>
    internal static ReadOnlySpan<byte> PosixMagic => "ustar\000"u8;

    /// <summary>Length of the magic alone.</summary>
    internal const int MagicSize = 6;

    private const byte Blank = (byte)' ';
    private const byte BinaryMark = 0x80;

    /// <summary>The text in a field. It ends at the first NUL or at the field's end.</summary>
    internal static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> field) =>
        field.IndexOf((byte)0) is >= 0 and var end ? field[..end] : field;

    /// <summary>Reads a number; an empty field is zero. False if the field is no number, or if the number does not fit.</summary>
    internal static bool TryNumber(ReadOnlySpan<byte> field, out long value) =>
        (field[0] & BinaryMark) != 0 ? TryBinary(field, out value) : TryOctal(field, out value);

    /// <summary>Writes a number as octal digits and a NUL. The number must fit.</summary>
    internal static void PutOctal(Span<byte> field, long value)
    {
        field[^1] = 0;
        for (int i = field.Length - 2; i >= 0; i--)
        {
            field[i] = (byte)('0' + (value & 7));
            value >>= 3;
        }
    }

    /// <summary>Fills in the checksum. Nothing in the block may change afterwards.</summary>
    internal static void Seal(Span<byte> block)
    {
        Span<byte> field = block.Slice(ChecksumOffset, NumberSize);
        field.Fill(Blank);
        PutOctal(field[..^1], UnsignedSum(block));
    }

    /// <summary>Whether the checksum is right. Some old programs summed signed bytes, so both sums are accepted, as by GNU tar.</summary>
    internal static bool HasRightChecksum(ReadOnlySpan<byte> block)
    {
        if (!TryNumber(block.Slice(ChecksumOffset, NumberSize), out long wanted))
        {
            return false;
        }

        // The checksum counts its own field as blanks.
        long unsigned = UnsignedSum(block) + NumberSize * Blank;
        long signed = unsigned;
        for (int i = 0; i < block.Length; i++)
        {
            bool isChecksum = i is >= ChecksumOffset and < ChecksumOffset + NumberSize;
            unsigned -= isChecksum ? block[i] : 0;
            signed -= isChecksum ? block[i] : block[i] >= 0x80 ? 0x100 : 0;
        }

        return wanted == unsigned || wanted == signed;
    }

    private static long UnsignedSum(ReadOnlySpan<byte> block)
    {
        long sum = 0;
        foreach (byte b in block)
        {
            sum += b;
        }

        return sum;
    }

    private static bool TryOctal(ReadOnlySpan<byte> field, out long value)
    {
        value = 0;
        ReadOnlySpan<byte> digits = field.TrimStart(" \0"u8);
        int i = 0;
        for (; i < digits.Length && digits[i] is >= (byte)'0' and <= (byte)'7'; i++)
        {
            value = value * 8 + (digits[i] - '0');
        }

        return i == digits.Length || digits[i] is Blank or 0;
    }

    private static bool TryBinary(ReadOnlySpan<byte> field, out long value)
    {
        // The mark stands in place of the top bit, which would repeat the sign bit.
        Span<byte> bytes = stackalloc byte[16];
        bool isNegative = (field[0] & 0x40) != 0;
        bytes.Fill(isNegative ? (byte)0xFF : (byte)0);
        field.CopyTo(bytes[^field.Length..]);
        bytes[^field.Length] = (byte)(isNegative ? field[0] | BinaryMark : field[0] & ~BinaryMark);
        Int128 number = BinaryPrimitives.ReadInt128BigEndian(bytes);
        value = number >= long.MinValue && number <= long.MaxValue ? (long)number : 0;
        return value == number;
    }
}
