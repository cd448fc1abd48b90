using HackTree.Store;

namespace HackTree.Boot;

/// <summary>How a disk lies in a file.</summary>
public enum DiskFormat
{
    /// <summary>Byte for byte.</summary>
    Raw,
    /// <summary>As QEMU keeps it, without room for what was never written.</summary>
    Qcow2,
}

/// <summary>Tells the formats of disk files.</summary>
public static class DiskFormats
{
    private static ReadOnlySpan<byte> Qcow2Magic => [(byte)'Q', (byte)'F', (byte)'I', 0xFB];

    /// <summary>The format that a file's name asks for: .qcow2, or .img and .raw; null for other names.</summary>
    public static DiskFormat? OfName(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".qcow2" or ".qcow" => DiskFormat.Qcow2,
        ".img" or ".raw" => DiskFormat.Raw,
        _ => null,
    };

    /// <summary>Opens a disk. .NET's own way of opening locks a file, against the lock that this process may hold.</summary>
    internal static FileStream OpenToRead(string path) => new(OpenPath.File(path), FileAccess.Read);

    /// <summary>Writes a disk in another format, into a file that is there and keeps its owner and mode.</summary>
    internal static void Convert(string from, DiskFormat fromFormat, string to, DiskFormat toFormat, CancellationToken stop) =>
        Tool.DiskImage.Run(stop, "convert", "-f", NameOf(fromFormat), "-O", NameOf(toFormat), from, to);

    /// <summary>What QEMU calls a format.</summary>
    internal static string NameOf(DiskFormat format) => format == DiskFormat.Qcow2 ? "qcow2" : "raw";

    /// <summary>The format that a file's content has. Throws <see cref="StoreException"/> where there is no such file.</summary>
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
