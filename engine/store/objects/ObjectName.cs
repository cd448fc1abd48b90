using System.Buffers.Binary;
using System.Buffers.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Identifies an object, which is a blob's inode in the store: content and metadata together, because hardlinks share both. Its text is the
/// object's path below files/: <c>ab/&lt;62 hex&gt;.&lt;mode&gt;.&lt;uid&gt;.&lt;gid&gt;.&lt;mtime&gt;[.x&lt;16 hex&gt;]</c>. The mode has four
/// octal digits. The x part is the first 8 bytes of the digest of the extended attributes.
/// </summary>
/// <param name="Blob">Digest of the content.</param>
/// <param name="Metadata">The inode's metadata: the result of <see cref="StoreFormat.ObjectMetadata"/>.</param>
/// <param name="XattrTag">The first 8 bytes of the attributes' digest; 0 for no attributes.</param>
public readonly record struct ObjectName(Digest Blob, FileMetadata Metadata, ulong XattrTag)
{
    /// <summary>The length of the longest text, including "ab/".</summary>
    public const int MaxLength = Digest.HexLength + 1 + 5 + 11 + 11 + 21 + 2 + 16;

    /// <summary>The length of "ab/", which comes before the name in the fan-out directory.</summary>
    public const int FanoutLength = 3;

    /// <summary>The first byte of the digest. It selects one of the 256 fan-out directories.</summary>
    public byte Fanout
    {
        get
        {
            Span<byte> bytes = stackalloc byte[Digest.Size];
            Blob.CopyTo(bytes);
            return bytes[0];
        }
    }

    /// <summary>The name for content, metadata and attributes that an inode will have.</summary>
    public static ObjectName Of(Digest blob, FileMetadata metadata, ReadOnlySpan<byte> xattrs) => new(blob, metadata, TagOf(xattrs));

    /// <summary>The tag of a set of attributes in canonical bytes; 0 for the empty set.</summary>
    public static ulong TagOf(ReadOnlySpan<byte> xattrs)
    {
        if (xattrs.IsEmpty)
        {
            return 0;
        }

        Span<byte> digest = stackalloc byte[Digest.Size];
        XattrSet.DigestOf(xattrs).CopyTo(digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    /// <summary>Writes the text to <paramref name="buffer"/> (<see cref="MaxLength"/> bytes) and returns its length.</summary>
    public int Format(Span<byte> buffer)
    {
        Span<byte> hex = stackalloc byte[Digest.HexLength];
        Blob.FormatHex(hex);
        hex[..2].CopyTo(buffer);
        buffer[2] = (byte)'/';
        hex[2..].CopyTo(buffer[FanoutLength..]);
        int length = Digest.HexLength + 1;
        buffer[length++] = (byte)'.';
        for (int shift = 9; shift >= 0; shift -= 3)
        {
            buffer[length++] = (byte)('0' + ((Metadata.Mode >> shift) & 7));
        }

        AppendNumber(buffer, ref length, Metadata.Uid);
        AppendNumber(buffer, ref length, Metadata.Gid);
        AppendNumber(buffer, ref length, Metadata.ModifyTime);
        if (XattrTag != 0)
        {
            ".x"u8.CopyTo(buffer[length..]);
            length += 2;
            Utf8Formatter.TryFormat(XattrTag, buffer[length..], out int written, new System.Buffers.StandardFormat('x', 16));
            length += written;
        }

        return length;
    }

    /// <summary>Reads the name of an object in the fan-out directory <paramref name="fanout"/>; false for any other name.</summary>
    public static bool TryParse(byte fanout, ReadOnlySpan<byte> name, out ObjectName result)
    {
        result = default;
        const int restOfHex = Digest.HexLength - 2;
        if (name.Length is < restOfHex + 5 or > MaxLength - FanoutLength)
        {
            return false;
        }

        Span<byte> hex = stackalloc byte[Digest.HexLength];
        Convert.TryToHexStringLower([fanout], hex, out _);
        name[..restOfHex].CopyTo(hex[2..]);
        if (!Digest.TryParse(hex, out Digest blob))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = name[restOfHex..];
        ushort mode = 0;
        for (int i = 1; i <= 4; i++)
        {
            mode = (ushort)((mode << 3) | ((rest[i] - '0') & 7));
        }

        rest = rest[5..];
        if (!TakeNumber(ref rest, out long uid) || !TakeNumber(ref rest, out long gid) || !TakeNumber(ref rest, out long time)
            || (uid | gid) is < 0 or > uint.MaxValue)
        {
            return false;
        }

        ulong tag = 0;
        if (rest.StartsWith(".x"u8))
        {
            _ = Utf8Parser.TryParse(rest[2..], out tag, out _, 'x');
        }

        // The steps above accept some other texts too. Only the text that Format makes is a name.
        result = new ObjectName(blob, new FileMetadata(mode, (uint)uid, (uint)gid, time), tag);
        Span<byte> again = stackalloc byte[MaxLength];
        return again[FanoutLength..result.Format(again)].SequenceEqual(name);
    }

    /// <summary>The text, for messages.</summary>
    public override string ToString()
    {
        Span<byte> buffer = stackalloc byte[MaxLength];
        return System.Text.Encoding.ASCII.GetString(buffer[..Format(buffer)]);
    }

    private static void AppendNumber(Span<byte> buffer, ref int length, long value)
    {
        buffer[length++] = (byte)'.';
        Utf8Formatter.TryFormat(value, buffer[length..], out int written);
        length += written;
    }

    private static bool TakeNumber(ref ReadOnlySpan<byte> rest, out long value)
    {
        value = 0;
        if (rest.IsEmpty || rest[0] != (byte)'.' || !Utf8Parser.TryParse(rest[1..], out value, out int used))
        {
            return false;
        }

        rest = rest[(1 + used)..];
        return true;
    }
}
