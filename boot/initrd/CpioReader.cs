using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>
/// Reads one newc cpio archive front to back, up to its trailer's name. Trusts nothing in the archive: any bytes give either an entry or an
/// <see cref="InitrdException"/>. Memory is limited to one name and one target.
/// </summary>
internal sealed class CpioReader(ByteInput input)
{
    /// <summary>The longest name or target that the kernel accepts (PATH_MAX, including the NUL of a name).</summary>
    private const int MaxPath = 4096;

    private readonly byte[] headerBytes = new byte[CpioHeader.Length];
    private readonly byte[] name = new byte[MaxPath];
    private readonly byte[] target = new byte[MaxPath];
    private readonly long start = input.Position;
    private CpioHeader header;
    private int nameLength;
    private int targetLength;
    private long headerOffset;
    private long remaining;
    private uint sum;
    private bool hasEnded;

    /// <summary>The entry's header.</summary>
    internal CpioHeader Header => header;

    /// <summary>The name in the archive: any bytes except NUL. Valid until the next entry.</summary>
    internal ReadOnlySpan<byte> Name => name.AsSpan(0, nameLength);

    /// <summary>A symbolic link's target. Valid until the next entry.</summary>
    internal ReadOnlySpan<byte> Target => target.AsSpan(0, targetLength);

    /// <summary>Moves to the next entry and skips content that was not read; false at the trailer.</summary>
    internal bool Next()
    {
        if (hasEnded)
        {
            return false;
        }

        SkipContent();
        nameLength = targetLength = 0;
        headerOffset = input.Position;
        ReadHeader();
        ReadName();
        if (Name.SequenceEqual(CpioHeader.Trailer))
        {
            hasEnded = true;
            return false;
        }

        input.Skip(CpioHeader.Padding(input.Position - start));
        remaining = header.Size;
        sum = 0;
        if (header.Type == FileType.Symlink)
        {
            ReadTarget();
        }

        return true;
    }

    /// <summary>Reads content of the entry: at least one byte, or 0 at its end.</summary>
    internal int ReadContent(Span<byte> buffer)
    {
        int count = input.Read(buffer[..(int)Math.Min(buffer.Length, remaining)]);
        if (count == 0)
        {
            return remaining == 0 || buffer.IsEmpty ? 0 : throw CutShort();
        }

        remaining -= count;
        if (header.HasChecksum && header.Type == FileType.Regular)
        {
            foreach (byte b in buffer[..count])
            {
                sum += b;
            }

            // The kernel compares it too, since 5.18. GNU cpio writes no checksum for symbolic links.
            if (remaining == 0 && sum != header.Checksum)
            {
                throw Fault("the content is not what its checksum says");
            }
        }

        return count;
    }

    private void ReadHeader()
    {
        if (input.Read(headerBytes) != headerBytes.Length)
        {
            throw input.Fault(headerOffset, "the cpio archive is cut short: there is no TRAILER!!! at its end");
        }

        if (!CpioHeader.TryParse(headerBytes, out header))
        {
            throw input.Fault(headerOffset, headerBytes.AsSpan().StartsWith("070707"u8)
                ? "this is a cpio archive of the old format, which the kernel does not take; make it with `cpio -o -H newc`"
                : "there is no header of a cpio entry where one should be; the archive is damaged");
        }
    }

    private void ReadName()
    {
        if (header.NameSize is 0 or > MaxPath)
        {
            throw input.Fault(headerOffset, $"an entry with a name of {header.NameSize} bytes; 1 to {MaxPath} are possible");
        }

        Span<byte> bytes = name.AsSpan(0, (int)header.NameSize);
        if (input.Read(bytes) != bytes.Length)
        {
            throw CutShort();
        }

        // Some programs put zeros after a name to align the content.
        nameLength = Math.Max(0, bytes.IndexOf((byte)0));
        if (bytes[^1] != 0 || nameLength == 0)
        {
            throw input.Fault(headerOffset, "an entry whose name is empty or has no end");
        }
    }

    private void ReadTarget()
    {
        if (header.Size >= MaxPath)
        {
            throw Fault($"a symbolic link's target of {header.Size} bytes");
        }

        while (ReadContent(target.AsSpan(targetLength)) is var count and > 0)
        {
            targetLength += count;
        }

        if (Target.Contains((byte)0))
        {
            throw Fault("a symbolic link's target with a NUL byte in it");
        }
    }

    private void SkipContent()
    {
        if (nameLength == 0)
        {
            return;
        }

        Span<byte> buffer = stackalloc byte[MaxPath];
        while (ReadContent(buffer) > 0)
        {
        }

        input.Skip(CpioHeader.Padding(input.Position - start));
    }

    /// <summary>An exception about the entry. Its message has the entry's name and place.</summary>
    internal InitrdException Fault(string fault) => input.Fault(headerOffset, $"{InitrdReader.Show(Name)}: {fault}");

    private InitrdException CutShort() => Fault("the cpio archive is cut short in this entry");
}
