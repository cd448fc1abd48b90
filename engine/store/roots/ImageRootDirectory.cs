namespace HackTree.Store;

/// <summary>
/// What the directory of a root that is an image (<see cref="CheckoutMethod.Image"/>) has of its commit: boot/, which is read before the image is
/// mounted, and etc/, which is the root's own. All other names are in the image alone.
/// </summary>
public static class ImageRootDirectory
{
    /// <summary>The names at the top of the commit that it has, with all below them.</summary>
    public static IReadOnlyCollection<byte[]> Tops { get; } = ["boot"u8.ToArray(), "etc"u8.ToArray()];

    /// <summary>Whether it has a path of the commit, or would if the commit had the path.</summary>
    public static bool Has(ReadOnlySpan<byte> path)
    {
        int slash = path.IndexOf((byte)'/');
        ReadOnlySpan<byte> top = slash < 0 ? path : path[..slash];
        foreach (byte[] name in Tops)
        {
            if (top.SequenceEqual(name))
            {
                return true;
            }
        }

        return false;
    }
}
