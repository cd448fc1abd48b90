using System.Buffers.Binary;
using System.Security.Cryptography;

namespace HackTree.Model;

/// <summary>
/// A SHA-256 digest: 32 bytes, shown as 64 lower-case hexadecimal digits. <c>default</c> means "none" (<see cref="IsNone"/>); no known
/// content has that digest.
/// </summary>
public readonly struct Digest : IEquatable<Digest>, IComparable<Digest>
{
    /// <summary>Bytes in a digest.</summary>
    public const int Size = 32;

    /// <summary>Digits in a digest's text.</summary>
    public const int HexLength = 64;

    private const int ShortLength = 16;

    // One state is kept, because trees are short: a new OpenSSL state takes as long as hashing 700 bytes, and the finalizer must free it.
    [ThreadStatic]
    private static IncrementalHash? hasher;

    // Big-endian words: comparing the words in order compares the bytes in order.
    private readonly ulong a, b, c, d;

    /// <summary>Takes the 32 bytes of <paramref name="bytes"/>.</summary>
    public Digest(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"a digest has {Size} bytes, not {bytes.Length}", nameof(bytes));
        }

        a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>Whether this is <c>default</c>, which stands for no digest.</summary>
    public bool IsNone => (a | b | c | d) == 0;

    /// <summary>The SHA-256 digest of <paramref name="domain"/> followed by <paramref name="bytes"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> domain, ReadOnlySpan<byte> bytes)
    {
        IncrementalHash hash = hasher ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(domain);
        hash.AppendData(bytes);
        Span<byte> result = stackalloc byte[Size];
        hash.GetHashAndReset(result);
        return new Digest(result);
    }

    /// <summary>The SHA-256 digest of <paramref name="bytes"/>.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> result = stackalloc byte[Size];
        SHA256.HashData(bytes, result);
        return new Digest(result);
    }

    /// <summary>Reads exactly 64 lower-case hexadecimal digits. Capitals are refused too, so that a digest has only one text.</summary>
    public static bool TryParse(ReadOnlySpan<byte> hex, out Digest digest)
    {
        digest = default;
        Span<byte> bytes = stackalloc byte[Size];
        if (hex.Length != HexLength)
        {
            return false;
        }

        for (int i = 0; i < Size; i++)
        {
            int high = HexValue(hex[2 * i]), low = HexValue(hex[(2 * i) + 1]);
            if ((high | low) < 0)
            {
                return false;
            }

            bytes[i] = (byte)((high << 4) | low);
        }

        digest = new Digest(bytes);
        return true;
    }

    /// <summary>Reads exactly 64 lower-case hexadecimal digits.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out Digest digest)
    {
        digest = default;
        Span<byte> ascii = stackalloc byte[HexLength];
        return hex.Length == HexLength
            && System.Text.Ascii.FromUtf16(hex, ascii, out _) == System.Buffers.OperationStatus.Done
            && TryParse(ascii, out digest);
    }

    /// <summary>Writes the 32 bytes to the start of <paramref name="destination"/>.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], d);
    }

    /// <summary>Writes the 64 digits to the start of <paramref name="destination"/>.</summary>
    public void FormatHex(Span<byte> destination)
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        Convert.TryToHexStringLower(bytes, destination[..HexLength], out _);
    }

    /// <inheritdoc/>
    public bool Equals(Digest other) => a == other.a && b == other.b && c == other.c && d == other.d;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Digest other && Equals(other);

    /// <summary>The first 32 bits: the bits of a digest are evenly distributed already.</summary>
    public override int GetHashCode() => (int)(a >> 32);

    /// <summary>Compares byte by byte, as memcmp does.</summary>
    public int CompareTo(Digest other)
    {
        int order = a.CompareTo(other.a);
        order = order != 0 ? order : b.CompareTo(other.b);
        order = order != 0 ? order : c.CompareTo(other.c);
        return order != 0 ? order : d.CompareTo(other.d);
    }

    /// <summary>The 64 digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>The first 16 digits: enough for any store, and few enough for a table.</summary>
    public string ToShortString() => ToString()[..ShortLength];

    /// <summary>Whether two digests are the same.</summary>
    public static bool operator ==(Digest left, Digest right) => left.Equals(right);

    /// <summary>Whether two digests differ.</summary>
    public static bool operator !=(Digest left, Digest right) => !left.Equals(right);

    /// <summary>Whether one digest sorts before another.</summary>
    public static bool operator <(Digest left, Digest right) => left.CompareTo(right) < 0;

    /// <summary>Whether one digest sorts after another.</summary>
    public static bool operator >(Digest left, Digest right) => left.CompareTo(right) > 0;

    /// <summary>Whether one digest sorts before another or is the same.</summary>
    public static bool operator <=(Digest left, Digest right) => left.CompareTo(right) <= 0;

    /// <summary>Whether one digest sorts after another or is the same.</summary>
    public static bool operator >=(Digest left, Digest right) => left.CompareTo(right) >= 0;

    private static int HexValue(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        _ => -1,
    };
}
