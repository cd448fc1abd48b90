using HackTree.Store;

namespace HackTree.Boot;

/// <summary>What a conversion did.</summary>
/// <param name="IsChanged">Whether there was anything to do.</param>
/// <param name="Apart">The lines of the root's fstab for directories that roots share. They stay on partitions of their own.</param>
public sealed record ConversionResult(bool IsChanged, IReadOnlyList<FstabLine> Apart);

/// <summary>Turns the installed Debian in an image into a root, and back.</summary>
public static class StockImage
{
    /// <summary>
    /// Converts an image in place, or continues an interrupted conversion. Throws
    /// <see cref="StoreException"/> for an image that is no Debian, is in use, or has no ext4.
    /// </summary>
    public static ConversionResult Convert(string image, string root, CancellationToken stop)
    {
        RequireName(root);
        return MountedImage.Run(image, mounted => Convert(mounted, image, root, stop));
    }

    /// <summary>Converts a copy of an image. The copy gets its name after it is converted.</summary>
    public static ConversionResult ConvertCopy(string image, string output, DiskFormat format, string root, CancellationToken stop)
    {
        RequireName(root);
        PathStatus.RequireText(output, ImageLayout.WhyText);
        if (Path.Exists(output))
        {
            throw new StoreException($"{output}: it exists already; choose another name, or remove it first");
        }

        return MountedImage.RunCopy(image, output, format, mounted => Convert(mounted, image, root, stop), stop);
    }

    /// <summary>Undoes a conversion, however far it came. Returns whether there was one.</summary>
    public static bool Undo(string image, CancellationToken stop) => MountedImage.Run(image, mounted =>
    {
        using var conversion = new ImageConversion(mounted.Path, mounted.Uuid, image) { Stop = stop };
        return conversion.Undo();
    });

    private static ConversionResult Convert(MountedImage mounted, string image, string root, CancellationToken stop)
    {
        if (mounted.WhyNoSystem is { } why)
        {
            throw new StoreException($"{image}: {why}");
        }

        using var conversion = new ImageConversion(mounted.Path, mounted.Uuid, image) { Stop = stop };
        if (!conversion.Run(root))
        {
            // The root that is there may have another name.
            return new ConversionResult(IsChanged: false, []);
        }

        string[] shared = [.. ImageLayout.Shared.Select(name => $"/{name}")];
        return new ConversionResult(IsChanged: true, [.. Fstab.Read(Path.Combine(mounted.Path, root)).Where(line => shared.Contains(line.Place))]);
    }

    private static void RequireName(string root)
    {
        if (!ImageLayout.IsRootName(root))
        {
            throw new StoreException($"'{root}' cannot name a root; use letters, digits, '-', '_' and '.', a letter first, such as r0");
        }
    }
}
