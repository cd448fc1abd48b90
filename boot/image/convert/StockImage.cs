using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Turns the installed Debian in an image into a root, and back.</summary>
public static class StockImage
{
    /// <summary>
    /// Converts an image in place, or continues an interrupted conversion. Returns whether there was anything to do. Throws
    /// <see cref="StoreException"/> for an image that is no Debian, is in use, or has no ext4.
    /// </summary>
    public static bool Convert(string image, string root, CancellationToken stop)
    {
        RequireName(root);
        return MountedImage.Run(image, mounted => Convert(mounted, image, root, stop));
    }

    /// <summary>Converts a copy of an image. The copy gets its name after it is converted.</summary>
    public static void ConvertCopy(string image, string output, DiskFormat format, string root, CancellationToken stop)
    {
        RequireName(root);
        if (Path.Exists(output))
        {
            throw new StoreException($"{output}: it exists already; choose another name, or remove it first");
        }

        _ = MountedImage.RunCopy(image, output, format, mounted => Convert(mounted, image, root, stop), stop);
    }

    /// <summary>Undoes a conversion, however far it came. Returns whether there was one.</summary>
    public static bool Undo(string image, CancellationToken stop) => MountedImage.Run(image, mounted =>
    {
        using var conversion = new ImageConversion(mounted.Path, mounted.Uuid, image) { Stop = stop };
        return conversion.Undo();
    });

    private static bool Convert(MountedImage mounted, string image, string root, CancellationToken stop)
    {
        using var conversion = new ImageConversion(mounted.Path, mounted.Uuid, image) { Stop = stop };
        return conversion.Run(root);
    }

    private static void RequireName(string root)
    {
        if (!ImageLayout.IsRootName(root))
        {
            throw new StoreException($"'{root}' cannot name a root; use letters, digits, '-', '_' and '.', a letter first, such as r0");
        }
    }
}
