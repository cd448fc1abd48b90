namespace HackTree.Transfer;

/// <summary>Reads the body of an answer into memory, up to a limit.</summary>
internal static class BoundedBody
{
    /// <summary>The whole body; null if it is longer than the limit. Throws as reading from the network does.</summary>
    internal static byte[]? TryRead(HttpResponseMessage answer, int maxLength)
    {
        using Stream body = answer.Content.ReadAsStream();
        var content = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        for (int count = body.Read(buffer); count > 0; count = body.Read(buffer))
        {
            content.Write(buffer, 0, count);
            if (content.Length > maxLength)
            {
                return null;
            }
        }

        return content.ToArray();
    }
}
