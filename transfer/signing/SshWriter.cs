using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace HackTree.Transfer;

/// <summary>Writes the fields of SSH's binary data (RFC 4251, section 5).</summary>
internal sealed class SshWriter
{
    private readonly ArrayBufferWriter<byte> buffer = new(256);

    /// <summary>Bytes as they are.</summary>
    internal SshWriter Raw(ReadOnlySpan<byte> bytes)
    {
        buffer.Write(bytes);
        return this;
    }

    /// <summary>A number of four bytes.</summary>
    internal SshWriter Number(uint number)
    {
        BinaryPrimitives.WriteUInt32BigEndian(buffer.GetSpan(sizeof(uint)), number);
        buffer.Advance(sizeof(uint));
        return this;
    }

    /// <summary>Bytes behind their number.</summary>
    internal SshWriter Bytes(ReadOnlySpan<byte> bytes) => Number((uint)bytes.Length).Raw(bytes);

    /// <summary>ASCII text behind its length.</summary>
    internal SshWriter Text(string text) => Bytes(Encoding.ASCII.GetBytes(text));

    /// <summary>What was written.</summary>
    internal byte[] ToArray() => buffer.WrittenSpan.ToArray();
}
