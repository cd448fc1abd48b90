using System.Buffers.Binary;
using System.Text;

namespace HackTree.Transfer;

/// <summary>
/// Reads the fields of SSH's binary data (RFC 4251, section 5). A field that is not whole is empty and makes the reader faulty. So a caller asks
/// <see cref="IsAtEnd"/> once, after the last field.
/// </summary>
internal ref struct SshReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;
    private bool isFaulty;

    /// <summary>Whether every field was whole, and nothing is left.</summary>
    internal readonly bool IsAtEnd => !isFaulty && rest.IsEmpty;

    /// <summary>Bytes whose number is fixed.</summary>
    internal ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > rest.Length)
        {
            isFaulty = true;
            rest = default;
            return default;
        }

        ReadOnlySpan<byte> taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    /// <summary>A number of four bytes.</summary>
    internal uint Number() => Take(sizeof(uint)) is { Length: sizeof(uint) } taken ? BinaryPrimitives.ReadUInt32BigEndian(taken) : 0;

    /// <summary>Bytes behind their number.</summary>
    internal ReadOnlySpan<byte> Bytes() => Take((int)Math.Min(Number(), int.MaxValue));

    /// <summary>Text behind its length. Bytes that are no ASCII make the reader faulty.</summary>
    internal string Text()
    {
        ReadOnlySpan<byte> taken = Bytes();
        isFaulty |= !Ascii.IsValid(taken);
        return Encoding.Latin1.GetString(taken);
    }

    /// <summary>A number of many bytes that is not negative, without the zeros before it.</summary>
    internal ReadOnlySpan<byte> LargeNumber()
    {
        ReadOnlySpan<byte> taken = Bytes();
        isFaulty |= taken.Length > 0 && taken[0] >= 0x80;
        return taken.TrimStart((byte)0);
    }

    /// <summary>All that is left.</summary>
    internal ReadOnlySpan<byte> Rest() => Take(rest.Length);
}
