namespace HackTree.Boot;

/// <summary>
/// Writes a newc cpio archive. The same list of entries makes the same bytes: inode numbers count up, and times come from the caller.
/// </summary>
internal sealed class CpioWriter(Stream stream)
{
    private readonly byte[] zeros = new byte[CpioHeader.Alignment];
    private long position;
    private uint inode;

    /// <summary>Writes an entry. Inode number 0 stands for the next free one. Sizes and checksum are filled in.</summary>
    internal void Write(ReadOnlySpan<byte> name, CpioHeader header, ReadOnlySpan<byte> content)
    {
        Put((header with
        {
            Inode = header.Inode != 0 ? header.Inode : ++inode,
            NameSize = (uint)name.Length + 1,
            Size = (uint)content.Length,
            Checksum = header.HasChecksum ? Sum(content) : 0,
        }).Encode());
        Put(name);
        Put([0]);
        Pad();
        Put(content);
        Pad();
    }

    /// <summary>Ends the archive at a multiple of 4 bytes.</summary>
    internal void End()
    {
        Put((new CpioHeader { LinkCount = 1, NameSize = (uint)CpioHeader.Trailer.Length + 1 }).Encode());
        Put(CpioHeader.Trailer);
        Put([0]);
        Pad();
    }

    private static uint Sum(ReadOnlySpan<byte> content)
    {
        uint sum = 0;
        foreach (byte b in content)
        {
            sum += b;
        }

        return sum;
    }

    private void Pad() => Put(zeros.AsSpan(0, CpioHeader.Padding(position)));

    private void Put(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        position += bytes.Length;
    }
}
