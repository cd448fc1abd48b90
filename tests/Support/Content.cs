namespace HackTree.Tests.Support;

/// <summary>Content to hash and compare: not zeros, and no two blocks of 4096 bytes alike below 256 MiB.</summary>
internal static class Content
{
    // A prime length, so that the pattern never falls in step with blocks. tests/Golden/golden.py makes the same.
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
