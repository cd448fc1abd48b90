namespace HackTree.Linux;

/// <summary>Memory that a library passes as an address.</summary>
public static unsafe class RawMemory
{
    /// <summary>
    /// The <paramref name="length"/> bytes at <paramref name="address"/>. The caller guarantees that the bytes exist, and that they neither
    /// move nor are freed while the span is used.
    /// </summary>
    public static Span<byte> At(nint address, int length) => new((void*)address, length);
}
