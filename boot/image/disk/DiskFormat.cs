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
    private static ReadOnlySpan<byte> Qcow2Magic => [(byte)'Q', (byte)'F', (byte)'I', 0xFB];

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
    internal static void Convert(string from, DiskFormat fromFormat, string to, DiskFormat toFormat, CancellationToken stop) =>
        Tool.DiskImage.Run(stop, "convert", "-f", NameOf(fromFormat), "-O", NameOf(toFormat), from, to);

    /// <summary>QEMU's name of a format.</summary>
    internal static string NameOf(DiskFormat format) => format == DiskFormat.Qcow2 ? "qcow2" : "raw";

    /// <summary>The format of a file's content. Throws <see cref="StoreException"/> if there is no such file.</summary>
    internal static DiskFormat OfContent(string path)
    {
        if (!File.Exists(path))
        {
            throw new StoreException(Directory.Exists(path) ? $"{path}: it is a directory, not a disk image" : $"{path}: no such image");
        }

        using FileStream file = OpenToRead(path);
        Span<byte> beginning = stackalloc byte[4];
        int count = file.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false);
        return count == beginning.Length && beginning.SequenceEqual(Qcow2Magic) ? DiskFormat.Qcow2 : DiskFormat.Raw;
    }
}
