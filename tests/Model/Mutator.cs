using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace HackTree.Tests.Model;

/// <summary>Makes damaged copies of good bytes. The same seed makes the same copies.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly uint[] Numbers = [0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFB, 0xFFFFFFFF];

    private Random Random { get; } = new(seed);

    /// <summary>A copy of one of the samples with one to four changes, sometimes with a piece of another sample.</summary>
    public byte[] Next(IReadOnlyList<byte[]> samples)
    {
        byte[] bytes = [.. Pick(samples)];
        for (int changes = Random.Next(1, 5); changes > 0; changes--)
        {
            bytes = Change(bytes, Pick(samples));
        }

        return bytes;
    }

    /// <summary>
    /// A copy of <paramref name="from"/> with one to sixteen changes, among which are pieces of <paramref name="other"/>, of <paramref name="words"/>, and
    /// numbers as decoders read them: of 2, 4 and 8 bytes, and as digits.
    /// </summary>
    public byte[] Next(byte[] from, byte[] other, IReadOnlyList<byte[]> words)
    {
        byte[] bytes = [.. from];
        for (int changes = 1 << Random.Next(5); changes > 0; changes--)
        {
            bytes = Random.Next(3) switch
            {
                0 when words.Count > 0 => Put(bytes, Pick(words)),
                1 => Put(bytes, Number()),
                _ => Change(bytes, other),
            };
        }

        return bytes;
    }

    /// <summary>Writes a piece over the bytes, or puts it between them.</summary>
    private byte[] Put(byte[] bytes, byte[] piece)
    {
        int at = Random.Next(bytes.Length + 1);
        int end = Random.Next(2) == 0 ? at : Math.Min(bytes.Length, at + piece.Length);
        return [.. bytes[..at], .. piece, .. bytes[end..]];
    }

    private byte[] Number()
    {
        uint number = Pick(Numbers);
        byte[] bytes = BitConverter.GetBytes(Random.Next(4) == 0 ? (ulong)(int)number : number);
        bytes = bytes[..(2 << Random.Next(3))];
        switch (Random.Next(4))
        {
            case 0:
                Array.Reverse(bytes);
                return bytes;
            case 1:
                return Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));
            default:
                return bytes;
        }
    }

    private byte[] Change(byte[] bytes, byte[] other)
    {
        int at = Random.Next(bytes.Length + 1);
        int end = Math.Min(bytes.Length, at + Random.Next(40));
        int otherAt = Random.Next(other.Length + 1);
        byte[] piece = other[otherAt..Math.Min(other.Length, otherAt + Random.Next(80))];
        switch (Random.Next(9))
        {
            case 0 when at < bytes.Length:
                bytes[at] ^= (byte)(1 << Random.Next(8));
                return bytes;
            case 1 when at < bytes.Length:
                bytes[at] = (byte)Random.Next(256);
                return bytes;
            case 2 when at < bytes.Length:
                bytes[at] += (byte)(Random.Next(2) * 2 - 1);
                return bytes;
            case 3 when at + sizeof(uint) <= bytes.Length:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), Pick(Numbers));
                return bytes;
            case 4:
                return bytes[..at];
            case 5:
                return [.. bytes[..at], .. bytes[end..]];
            case 6:
                return [.. bytes[..end], .. bytes[at..]];
            case 7:
                return [.. bytes[..at], .. piece, .. bytes[at..]];
            default:
                return [.. bytes[..at], .. piece, .. bytes[end..]];
        }
    }

    private T Pick<T>(IReadOnlyList<T> from) => from[Random.Next(from.Count)];
}
