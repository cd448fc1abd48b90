using System.Buffers.Binary;

namespace HackTree.Model;

/// <summary>
/// The canonical bytes of a set of extended attributes (xattr(7)), sorted by name, each name once. The empty set has no bytes. See
/// FORMAT.md, "Extended attributes".
/// </summary>
/// <remarks>
/// One attribute, little-endian: 0 u8 name length (1-255), 1 u32 value length (at most 65536), 5 name, then value.
/// </remarks>
public static class XattrSet
{
    /// <summary>The longest value that Linux allows (XATTR_SIZE_MAX).</summary>
    public const int MaxValueLength = 65536;

    /// <summary>
    /// The longest set that a tree may hold, in bytes. The kernel limits the names alone to 65536 bytes (XATTR_LIST_MAX).
    /// </summary>
    public const int MaxLength = 16 * 1024 * 1024;

    /// <summary>The bytes before each name: the lengths of name and value.</summary>
    public const int HeaderSize = 5;

    /// <summary>The bytes that an attribute takes in a set.</summary>
    public static int LengthOf(int nameLength, int valueLength) => HeaderSize + nameLength + valueLength;

    private const int MaxNameLength = 255;

    private static ReadOnlySpan<byte> Domain => "hacktree xattrs 1\n"u8;

    /// <summary>
    /// The canonical bytes of attributes in any order. Throws <see cref="ArgumentException"/> for attributes that no kernel would hold.
    /// </summary>
    public static byte[] Encode(IEnumerable<(byte[] Name, byte[] Value)> attributes)
    {
        var sorted = attributes.ToList();
        if (sorted.Exists(x => x.Name.Length > MaxNameLength || x.Value.Length > MaxValueLength))
        {
            throw new ArgumentException("an extended attribute with too long a name or value", nameof(attributes));
        }

        sorted.Sort((x, y) => x.Name.AsSpan().SequenceCompareTo(y.Name));
        byte[] bytes = new byte[sorted.Sum(x => HeaderSize + x.Name.Length + x.Value.Length)];
        Span<byte> rest = bytes;
        foreach ((byte[] name, byte[] value) in sorted)
        {
            WriteName(rest, name, value.Length);
            value.CopyTo(rest[(HeaderSize + name.Length)..]);
            rest = rest[(HeaderSize + name.Length + value.Length)..];
        }

        return IsCanonical(bytes) ? bytes : throw new ArgumentException("not a set of extended attributes", nameof(attributes));
    }

    /// <summary>Writes what stands before the value of one attribute: <see cref="HeaderSize"/> bytes, then the name.</summary>
    public static void WriteName(Span<byte> destination, ReadOnlySpan<byte> name, int valueLength)
    {
        destination[0] = (byte)name.Length;
        BinaryPrimitives.WriteInt32LittleEndian(destination[1..], valueLength);
        name.CopyTo(destination[HeaderSize..]);
    }

    /// <summary>Whether <see cref="Encode"/> returns <paramref name="bytes"/> for some set.</summary>
    public static bool IsCanonical(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MaxLength)
        {
            return false;
        }

        ReadOnlySpan<byte> previous = default;
        while (!bytes.IsEmpty)
        {
            if (bytes.Length < HeaderSize)
            {
                return false;
            }

            int nameLength = bytes[0];
            uint valueLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[1..]);
            if (nameLength == 0 || valueLength > MaxValueLength || bytes.Length < HeaderSize + nameLength + valueLength)
            {
                return false;
            }

            ReadOnlySpan<byte> name = bytes.Slice(HeaderSize, nameLength);
            if (name.IndexOf((byte)0) >= 0 || (!previous.IsEmpty && previous.SequenceCompareTo(name) >= 0))
            {
                return false;
            }

            previous = name;
            bytes = bytes[(HeaderSize + nameLength + (int)valueLength)..];
        }

        return true;
    }

    /// <summary>
    /// Removes the first attribute from canonical bytes; false if none is left. Use: <c>while (XattrSet.Next(ref rest, ...))</c>.
    /// </summary>
    public static bool Next(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        if (rest.IsEmpty)
        {
            name = value = default;
            return false;
        }

        int valueLength = BinaryPrimitives.ReadInt32LittleEndian(rest[1..]);
        name = rest.Slice(HeaderSize, rest[0]);
        value = rest.Slice(HeaderSize + name.Length, valueLength);
        rest = rest[(HeaderSize + name.Length + valueLength)..];
        return true;
    }

    /// <summary>Whether canonical bytes hold an attribute of that name.</summary>
    public static bool Contains(ReadOnlySpan<byte> canonical, ReadOnlySpan<byte> attribute)
    {
        while (Next(ref canonical, out ReadOnlySpan<byte> name, out _))
        {
            if (name.SequenceEqual(attribute))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The attributes of a canonical set whose names pass the test, canonical. If all pass, the same bytes.</summary>
    public static ReadOnlySpan<byte> Where(ReadOnlySpan<byte> canonical, XattrTest test)
    {
        int length = 0;
        for (ReadOnlySpan<byte> rest = canonical; Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);)
        {
            length += test(name) ? HeaderSize + name.Length + value.Length : 0;
        }

        if (length == canonical.Length)
        {
            return canonical;
        }

        byte[] kept = new byte[length];
        Span<byte> end = kept;
        for (ReadOnlySpan<byte> rest = canonical; !rest.IsEmpty;)
        {
            ReadOnlySpan<byte> from = rest;
            Next(ref rest, out ReadOnlySpan<byte> name, out _);
            if (test(name))
            {
                ReadOnlySpan<byte> whole = from[..(from.Length - rest.Length)];
                whole.CopyTo(end);
                end = end[whole.Length..];
            }
        }

        return kept;
    }

    /// <summary>The digest of a set; <c>default</c> for the empty set.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> canonical) => canonical.IsEmpty ? default : Digest.Of(Domain, canonical);
}

/// <summary>A question about the name of an extended attribute.</summary>
public delegate bool XattrTest(ReadOnlySpan<byte> name);
