namespace HackTree.Linux;

/// <summary>
/// A file name or path as a NUL-terminated byte string for one system call. A short name is copied to the caller's stack, a long one to the
/// heap. File names are bytes, so nothing is decoded.
/// </summary>
internal ref struct NativeName
{
    /// <summary>Bytes of stack that each call sets aside: enough for the longest file name (255 bytes) and its NUL.</summary>
    public const int StackBytes = 256;

    private readonly Span<byte> terminated;

    public NativeName(ReadOnlySpan<byte> name, Span<byte> stack)
    {
        // The kernel would stop at the NUL without an error, and open another file than the one named.
        if (name.IndexOf((byte)0) >= 0)
        {
            throw new ArgumentException("a file name holds a NUL byte", nameof(name));
        }

        terminated = name.Length < stack.Length ? stack : new byte[name.Length + 1];
        name.CopyTo(terminated);
        terminated[name.Length] = 0;
    }

    /// <summary>For `fixed`: the first byte of the terminated string.</summary>
    public readonly ref byte GetPinnableReference() => ref terminated[0];
}
