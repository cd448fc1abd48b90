using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Turns the installed Debian in an image into a root, and back.</summary>
public static class StockImage
{
    /// <summary>
    /// Converts it in place, or goes on with what was interrupted; answers whether there was anything to do. Throws
    /// <see cref="StoreException"/> for what is no Debian, is in use, or has no ext4.
    /// </summary>
    public static bool Convert(string image, string root, CancellationToken stop)
    {
        if (!ImageLayout.IsRootName(root))
        {
            throw new StoreException($"'{root}' cannot name a root; use letters, digits, '-', '_' and '.', a letter first, such as r0");
        }

        return MountedImage.Run(image, mounted =>
        {
            using var conversion = new ImageConversion(mounted.Path, mounted.Uuid, image) { Stop = stop };
            return conversion.Run(root);
        });
    }

    /// <summary>Converts a copy, which gets its name when it is converted.</summary>
    public static void ConvertCopy(string image, string output, DiskFormat format, string root, CancellationToken stop)
    {
        if (Path.Exists(output))
        {
            throw new StoreException($"{output}: it exists already; choose another name, or remove it first");
        }

        DiskFormat from = DiskFormats.OfContent(image);
        string partial = $"{output}.{Environment.ProcessId}.partial";
        try
        {
            DiskExport.MakePrivate(partial);
            using (ImageLock.Take(image))
            {
                Tool.DiskImage.Run(stop, "convert", "-f", Name(from), "-O", Name(format), image, partial);
            }

            _ = Convert(partial, root, stop);
            using (FileStream file = File.OpenRead(partial))
            {
                DiskExport.GiveOwnership(file.SafeFileHandle, partial, image);
            }

            File.Move(partial, output, overwrite: false);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>Takes a conversion back, from however far it came; answers whether there was one.</summary>
    public static bool Undo(string image, CancellationToken stop) => MountedImage.Run(image, mounted =>
    {
        using var conversion = new ImageConversion(mounted.Path, mounted.Uuid, image) { Stop = stop };
        return conversion.Undo();
    });

    private static string Name(DiskFormat format) => format == DiskFormat.Qcow2 ? "qcow2" : "raw";
}
