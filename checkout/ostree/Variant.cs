using System.Buffers.Binary;

namespace HackTree.Checkout;

/// <summary>A member of a GVariant tuple.</summary>
/// <param name="Alignment">Its position is a multiple of this.</param>
/// <param name="Size">Its size in bytes; 0 if it has its own.</param>
internal readonly record struct VariantMember(int Alignment, int Size = 0);

/// <summary>
/// Reads GVariant data, the serialization of GLib in which OSTree keeps its objects. Every offset is checked: data that is not well-formed
/// throws <see cref="FormatException"/>. A container of values of different sizes ends in the positions where the values end. Each such position has
/// as many bytes as the container's whole length needs: 1, 2, 4 or 8.
/// </summary>
internal static class Variant
{
    /// <summary>A string, an array of bytes, and an array of tuples of these.</summary>
    internal static readonly VariantMember Bytes = new(1);

    /// <summary>A number of four bytes.</summary>
    internal static readonly VariantMember Number = new(4, 4);

    /// <summary>A number of eight bytes.</summary>
    internal static readonly VariantMember LongNumber = new(8, 8);

    /// <summary>An array of entries of a dictionary whose values may be of any type.</summary>
    internal static readonly VariantMember Dictionary = new(8);

    /// <summary>Where the members of a tuple are.</summary>
    internal static Range[] Members(ReadOnlySpan<byte> tuple, params ReadOnlySpan<VariantMember> members)
    {
        var places = new Range[members.Length];
        int size = OffsetSize(tuple.Length), offsets = tuple.Length, at = 0;
        for (int i = 0; i < members.Length; i++)
        {
            at = Align(at, members[i].Alignment);
            int end;
            if (members[i].Size > 0)
            {
                end = at + members[i].Size;
            }
            else if (i == members.Length - 1)
            {
                end = offsets;
            }
            else
            {
                offsets -= size;
                end = offsets < 0 ? throw Malformed() : Offset(tuple.Slice(offsets, size));
            }

            if (at > end || end > offsets)
            {
                throw Malformed();
            }

            (places[i], at) = (at..end, end);
        }

        return at == offsets ? places : throw Malformed();
    }

    /// <summary>Where the values of an array are, which have different sizes.</summary>
    internal static Range[] Elements(ReadOnlySpan<byte> array, int alignment)
    {
        if (array.IsEmpty)
        {
            return [];
        }

        int size = OffsetSize(array.Length);
        int table = Offset(array[^size..]), length = array.Length - table;
        if (table > array.Length - size || length % size != 0)
        {
            throw Malformed();
        }

        var places = new Range[length / size];
        for (int i = 0, at = 0; i < places.Length; i++)
        {
            at = Align(at, alignment);
            int end = Offset(array.Slice(table + (i * size), size));
            (places[i], at) = at <= end && end <= table ? (at..end, end) : throw Malformed();
        }

        return places;
    }

    /// <summary>A string without the zero that ends it.</summary>
    internal static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> text) =>
        text.IndexOf((byte)0) == text.Length - 1 && !text.IsEmpty ? text[..^1] : throw Malformed();

    /// <summary>The type and the bytes of a value of any type.</summary>
    internal static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> any, out ReadOnlySpan<byte> type)
    {
        int zero = any.LastIndexOf((byte)0);
        type = zero >= 0 ? any[(zero + 1)..] : throw Malformed();
        return any[..zero];
    }

    /// <summary>Writes a tuple of fixed members, which are given as they are, one of bytes, and a last one of bytes.</summary>
    internal static byte[] Tuple(ReadOnlySpan<byte> before, ReadOnlySpan<byte> first, ReadOnlySpan<byte> last)
    {
        int length = before.Length + first.Length + last.Length, size = OffsetSizeFor(length, 1);
        byte[] tuple = new byte[length + size];
        before.CopyTo(tuple);
        first.CopyTo(tuple.AsSpan(before.Length));
        last.CopyTo(tuple.AsSpan(before.Length + first.Length));
        WriteOffset(tuple.AsSpan(length), before.Length + first.Length);
        return tuple;
    }

    /// <summary>Writes an array of values of different sizes, none of which is aligned.</summary>
    internal static byte[] Array(IReadOnlyList<byte[]> values)
    {
        int length = values.Sum(value => value.Length), size = OffsetSizeFor(length, values.Count);
        byte[] array = new byte[length + (size * values.Count)];
        int at = 0;
        for (int i = 0; i < values.Count; i++)
        {
            values[i].CopyTo(array.AsSpan(at));
            at += values[i].Length;
            WriteOffset(array.AsSpan(length + (i * size), size), at);
        }

        return array;
    }

    private static int OffsetSizeFor(int length, int count)
    {
        int size = 1;
        while (OffsetSize(length + ((long)size * count)) > size)
        {
            size *= 2;
        }

        return size;
    }

    private static int OffsetSize(long length) => length <= byte.MaxValue ? 1 : length <= ushort.MaxValue ? 2 : length <= uint.MaxValue ? 4 : 8;

    private static int Align(int at, int alignment) => (at + alignment - 1) & -alignment;

    private static int Offset(ReadOnlySpan<byte> bytes)
    {
        Span<byte> whole = stackalloc byte[8];
        whole.Clear();
        bytes.CopyTo(whole);
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(whole);
        return offset <= int.MaxValue ? (int)offset : throw Malformed();
    }

    private static void WriteOffset(Span<byte> destination, int offset)
    {
        Span<byte> whole = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(whole, offset);
        whole[..destination.Length].CopyTo(destination);
    }

    private static FormatException Malformed() => new("malformed GVariant");
}
