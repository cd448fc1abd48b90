namespace HackTree.Tests.Support;

/// <summary>Content to hash and compare. It is not zero, and below 256 MiB no two blocks of 4096 bytes are alike.</summary>
internal static class Content
{
    // The length is prime, so the pattern never coincides with blocks. tests/Golden/golden.py makes the same pattern.
    private const int Period = 65521;

    private static readonly byte[] Pattern = [.. Enumerable.Range(0, Period).Select(i => (byte)(((uint)i * 2654435761) >> 24))];

    public static byte[] Of(int size)
    {
        byte[] content = new byte[size];
        for (int at = 0; at < size; at += Period)
        {
            Pattern.AsSpan(0, Math.Min(Period, size - at)).CopyTo(content.AsSpan(at));
        }

        return content;
    }
}
