using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>The format of a disk file.</summary>
public enum DiskFormat
{
    /// <summary>The disk's bytes, unchanged.</summary>
    Raw,
    /// <summary>QEMU's format, which needs no space for parts that were never written.</summary>
    Qcow2,
}

/// <summary>Recognizes and converts the formats of disk files.</summary>
public static class DiskFormats
{
    // Version 1 of the format is another one, and has the same beginning.
    private static readonly byte[] Qcow2Magic = [(byte)'Q', (byte)'F', (byte)'I', 0xFB, 0, 0, 0];
    private static readonly byte[] Qcow2Versions = [2, 3];

    /// <summary>The format for a file's name: .qcow2, or .img and .raw; null for other names.</summary>
    public static DiskFormat? OfName(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".qcow2" or ".qcow" => DiskFormat.Qcow2,
        ".img" or ".raw" => DiskFormat.Raw,
        _ => null,
    };

    /// <summary>Opens a disk. .NET's own way of opening would lock the file, against the lock that this process may hold.</summary>
    internal static FileStream OpenToRead(string path) => new(OpenPath.File(path), FileAccess.Read);

    /// <summary>Writes a disk in another format into an existing file, which keeps its owner and mode.</summary>
    /// <param name="from">The disk.</param>
    /// <param name="fromFormat">The disk's format.</param>
    /// <param name="to">The existing file.</param>
    /// <param name="toFormat">The format of the new disk.</param>
    /// <param name="image">The image in errors. The two files may have no names of their own.</param>
    /// <param name="stop">A request to stop.</param>
    internal static void Convert(string from, DiskFormat fromFormat, string to, DiskFormat toFormat, string image, CancellationToken stop)
    {
        ProgramRun run = Tool.DiskImage.TryRun(["convert", "-f", NameOf(fromFormat), "-O", NameOf(toFormat), from, to], stop: stop);
        if (!run.Succeeded)
        {
            string words = run.LastWords.Replace(from, image, StringComparison.Ordinal).Replace(to, image, StringComparison.Ordinal);
            throw new StoreException($"{image}: {Tool.DiskImage.Name} failed: {words}");
        }
    }

    /// <summary>QEMU's name of a format.</summary>
    internal static string NameOf(DiskFormat format) => format == DiskFormat.Qcow2 ? "qcow2" : "raw";

    /// <summary>
    /// The format of a file's content. Throws <see cref="StoreException"/> if there is no such file, or if it has a format that this program
    /// cannot read.
    /// </summary>
    internal static DiskFormat OfContent(string path)
    {
        PathStatus.RequireText(path, ImageLayout.WhyText);
        if (!File.Exists(path))
        {
            throw new StoreException(Directory.Exists(path) ? $"{path}: it is a directory, not a disk image" : $"{path}: no such image");
        }

        using FileStream file = OpenToRead(path);
        Span<byte> beginning = stackalloc byte[8];
        int count = file.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false);
        if (count == beginning.Length && beginning.StartsWith(Qcow2Magic) && Qcow2Versions.Contains(beginning[^1]))
        {
            return DiskFormat.Qcow2;
        }

        return ForeignFormat.Find(file, path) is { } foreign ? throw new StoreException($"{path}: {foreign}") : DiskFormat.Raw;
    }
}
