using System.Buffers.Binary;
using SharpCompress.Compressors.LZMA;

namespace HackTree.Boot;

/// <summary>Opens LZMA data: the one of `lzma`, and LZMA2 inside xz. SharpCompress takes from the file byte by byte, so it stands right at the end.</summary>
internal static class Lzma
{
    /// <summary>The largest dictionary taken: twice that of `xz -9`. The header claims it, and it becomes memory.</summary>
    internal const uint MaxDictionary = 128 * 1024 * 1024;

    private const int PropertiesLength = 5;
    private const int DictionaryOffset = 1;

    /// <summary>The format of `lzma`: properties, dictionary size, unpacked size or -1 where an end mark follows, data.</summary>
    internal static LzmaStream OpenAlone(Stream file)
    {
        Span<byte> header = stackalloc byte[PropertiesLength + sizeof(long)];
        file.ReadExactly(header);
        long size = BinaryPrimitives.ReadInt64LittleEndian(header[PropertiesLength..]);
        uint dictionary = BinaryPrimitives.ReadUInt32LittleEndian(header[DictionaryOffset..]);
        if (size < -1 || dictionary > MaxDictionary)
        {
            throw new InvalidDataException();
        }

        return LzmaStream.Create(header[..PropertiesLength].ToArray(), PartStream.Rest(file), -1, size, leaveOpen: true);
    }

    /// <summary>LZMA2 up to its end mark.</summary>
    internal static LzmaStream OpenSecond(Stream file, byte dictionarySize)
    {
        // Sizes are 2 or 3 times a power of two: section 5.3.1 of the xz format.
        ulong dictionary = dictionarySize > 40 ? ulong.MaxValue : (2UL | (dictionarySize & 1u)) << ((dictionarySize / 2) + 11);
        return dictionary <= MaxDictionary ? LzmaStream.Create([dictionarySize], PartStream.Rest(file), -1, -1, null, isLzma2: true, leaveOpen: true) : throw new InvalidDataException();
    }
}
