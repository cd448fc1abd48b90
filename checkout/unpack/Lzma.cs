using System.Buffers.Binary;
using SharpCompress.Compressors.LZMA;

namespace HackTree.Checkout;

/// <summary>
/// Opens LZMA data: the format of `lzma`, and LZMA2 inside xz. SharpCompress reads the file byte by byte, so its position is right at the end.
/// </summary>
public static class Lzma
{
    /// <summary>The largest accepted dictionary: twice that of `xz -9`. The header claims its size, and that memory is allocated.</summary>
    internal const uint MaxDictionary = 128 * 1024 * 1024;

    private const int PropertiesLength = 5;
    private const int DictionaryOffset = 1;

    /// <summary>Opens the format of `lzma`: properties, dictionary size, unpacked size (-1 if an end mark follows), data.</summary>
    public static Stream OpenAlone(Stream file)
    {
        Span<byte> header = stackalloc byte[PropertiesLength + sizeof(long)];
        file.ReadExactly(header);
        long size = BinaryPrimitives.ReadInt64LittleEndian(header[PropertiesLength..]);
        uint dictionary = BinaryPrimitives.ReadUInt32LittleEndian(header[DictionaryOffset..]);
        if (size < -1)
        {
            throw new InvalidDataException();
        }

        RequireDictionary(dictionary);
        return LzmaStream.Create(header[..PropertiesLength].ToArray(), PartStream.Rest(file), -1, size, leaveOpen: true);
    }

    /// <summary>Opens LZMA2 data, which ends with an end mark.</summary>
    internal static LzmaStream OpenSecond(Stream file, byte dictionarySize)
    {
        // Sizes are 2 or 3 times a power of two: section 5.3.1 of the xz format.
        ulong dictionary = dictionarySize > 40 ? ulong.MaxValue : (2UL | (dictionarySize & 1u)) << ((dictionarySize / 2) + 11);
        RequireDictionary(dictionary);
        return LzmaStream.Create([dictionarySize], PartStream.Rest(file), -1, -1, null, isLzma2: true, leaveOpen: true);
    }

    private static void RequireDictionary(ulong length)
    {
        if (length > MaxDictionary)
        {
            throw new UnreadableFormatException("its dictionary is larger than 128 MiB, which HackTree does not read");
        }
    }
}
