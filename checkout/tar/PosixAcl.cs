using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;

namespace HackTree.Checkout;

/// <summary>
/// Converts access control lists between the text in tar archives (acl(5), with numbers for users and groups) and the value of the extended
/// attributes system.posix_acl_access and system.posix_acl_default (linux/posix_acl_xattr.h), little-endian:
/// <c>u32 version 2, then for each entry u16 tag, u16 permissions, u32 id</c>, in the kernel's order.
/// </summary>
internal static class PosixAcl
{
    private const int HeaderSize = 4;
    private const int EntrySize = 8;
    private const uint Version = 2;
    private const uint NoId = uint.MaxValue;
    private const int MaxEntries = 8191;
    private const ushort User = 0x02;
    private const ushort Group = 0x08;
    private const string Letters = "rwx";

    /// <summary>
    /// Converts text to an attribute value. Returns what is wrong, or null; <paramref name="value"/> is empty for an empty list. Names are not
    /// looked up, because the users of this machine are not the users of the tree.
    /// </summary>
    internal static string? Parse(ReadOnlySpan<byte> text, out byte[] value)
    {
        value = [];
        var entries = new List<(ushort Tag, uint Id, ushort Permissions)>();
        foreach (Range range in text.SplitAny((byte)',', (byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            line = (line.IndexOf((byte)'#') is >= 0 and var comment ? line[..comment] : line).Trim(" \t"u8);
            if (!line.IsEmpty)
            {
                if (ParseEntry(line, out (ushort, uint, ushort) entry) is { } fault)
                {
                    return fault;
                }

                entries.Add(entry);
                if (entries.Count > MaxEntries)
                {
                    return "its access control list is too long";
                }
            }
        }

        entries.Sort();
        value = entries.Count == 0 ? [] : Encode(entries);
        return null;
    }

    /// <summary>Whether a list says no more than the mode. The kernel does not store such an access list.</summary>
    internal static bool IsMode(ReadOnlySpan<byte> value) => value.Length <= HeaderSize + 3 * EntrySize;

    /// <summary>Converts an attribute value to text; null for a value that <see cref="Parse"/> would not return.</summary>
    internal static byte[]? Format(ReadOnlySpan<byte> value)
    {
        if (value.Length <= HeaderSize || value.Length % EntrySize != HeaderSize)
        {
            return null;
        }

        var text = new ArrayBufferWriter<byte>();
        for (ReadOnlySpan<byte> rest = value[HeaderSize..]; !rest.IsEmpty; rest = rest[EntrySize..])
        {
            ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            ushort permissions = BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]);
            text.Write(TagName(tag));
            if (tag is User or Group)
            {
                Utf8Formatter.TryFormat(BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]), text.GetSpan(10), out int digits);
                text.Advance(digits);
            }

            text.Write(":"u8);
            for (int bit = 0; bit < Letters.Length; bit++)
            {
                text.Write([(byte)((permissions & (4 >> bit)) != 0 ? Letters[bit] : '-')]);
            }

            text.Write("\n"u8);
        }

        return Parse(text.WrittenSpan, out byte[] again) is null && value.SequenceEqual(again) ? text.WrittenSpan.ToArray() : null;
    }

    private static byte[] Encode(List<(ushort Tag, uint Id, ushort Permissions)> entries)
    {
        byte[] value = new byte[HeaderSize + EntrySize * entries.Count];
        BinaryPrimitives.WriteUInt32LittleEndian(value, Version);
        Span<byte> rest = value.AsSpan(HeaderSize);
        foreach ((ushort tag, uint id, ushort permissions) in entries)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(rest, tag);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], permissions);
            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], id);
            rest = rest[EntrySize..];
        }

        return value;
    }

    /// <summary>
    /// Reads one entry: tag, name or number, permissions and, as star and bsdtar write it, the number that belongs to a name.
    /// </summary>
    private static string? ParseEntry(ReadOnlySpan<byte> line, out (ushort Tag, uint Id, ushort Permissions) entry)
    {
        entry = default;
        ReadOnlySpan<byte> kind = TakeField(ref line);
        ReadOnlySpan<byte> name = TakeField(ref line);
        ReadOnlySpan<byte> letters = TakeField(ref line);
        ReadOnlySpan<byte> number = line.IsEmpty ? name : line;
        ushort tag = letters.IsEmpty ? (ushort)0 : TagOf(kind, isNamed: !name.IsEmpty);
        long id = NoId;
        if (tag is User or Group && (!PaxRecords.TryDecimal(number, out id) || id > NoId))
        {
            return $"its access control list names {TarException.Show(name)} without a number; "
                + "make the archive with --xattrs --xattrs-include='*'";
        }

        ushort permissions = 0;
        foreach (byte letter in letters)
        {
            int bit = Letters.IndexOf((char)letter, StringComparison.Ordinal);
            tag = bit < 0 && letter != '-' ? (ushort)0 : tag;
            permissions |= (ushort)(bit < 0 ? 0 : 4 >> bit);
        }

        entry = (tag, (uint)id, permissions);
        return tag == 0 ? "its access control list is not written as acl(5) says" : null;
    }

    private static ReadOnlySpan<byte> TakeField(ref ReadOnlySpan<byte> line)
    {
        int end = line.IndexOf((byte)':');
        ReadOnlySpan<byte> field = end < 0 ? line : line[..end];
        line = end < 0 ? default : line[(end + 1)..];
        return field;
    }

    private static ushort TagOf(ReadOnlySpan<byte> name, bool isNamed) => name switch
    {
        _ when name.SequenceEqual("user"u8) || name.SequenceEqual("u"u8) => isNamed ? User : (ushort)0x01,
        _ when name.SequenceEqual("group"u8) || name.SequenceEqual("g"u8) => isNamed ? Group : (ushort)0x04,
        _ when name.SequenceEqual("mask"u8) || name.SequenceEqual("m"u8) => 0x10,
        _ when name.SequenceEqual("other"u8) || name.SequenceEqual("o"u8) => 0x20,
        _ => 0,
    };

    private static ReadOnlySpan<byte> TagName(ushort tag) => tag switch
    {
        0x01 or User => "user:"u8,
        0x04 or Group => "group:"u8,
        0x10 => "mask:"u8,
        0x20 => "other:"u8,
        _ => "?"u8,
    };
}
