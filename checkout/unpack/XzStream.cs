namespace HackTree.Checkout;

/// <summary>Unpacks xz streams that follow one another, with zeros between them (section 2.2, "Stream Padding"), up to the end of the input.</summary>
internal sealed class XzStream(PackedInput input) : ReadOnlyStream
{
    private const int Alignment = 4;

    private XzDecoder? decoder = new(input);

    public override int Read(Span<byte> buffer)
    {
        while (decoder is not null)
        {
            int count = decoder.Read(buffer);
            if (count > 0)
            {
                return count;
            }

            decoder.Dispose();
            decoder = OpenNext();
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        decoder?.Dispose();
        base.Dispose(disposing);
    }

    private XzDecoder? OpenNext()
    {
        Span<byte> padding = stackalloc byte[Alignment];
        while (input.Peek(Alignment) is { Length: Alignment } zeros && zeros.IndexOfAnyExcept((byte)0) < 0)
        {
            input.ReadExactly(padding);
        }

        return input.Peek(1).IsEmpty ? null : new XzDecoder(input);
    }
}
