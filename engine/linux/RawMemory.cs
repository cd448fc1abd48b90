namespace HackTree.Linux;

/// <summary>Memory that a library hands over as an address.</summary>
public static unsafe class RawMemory
{
    /// <summary>
    /// The <paramref name="length"/> bytes at <paramref name="address"/>. The caller vouches that they are there and
    /// neither move nor go away while the span is used.
    /// </summary>
    public static Span<byte> At(nint address, int length) => new((void*)address, length);
}
