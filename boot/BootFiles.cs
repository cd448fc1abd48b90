using System.Reflection;

namespace HackTree.Boot;

/// <summary>The files below boot/ that are put into initrds. The program carries them.</summary>
internal static class BootFiles
{
    private static readonly Assembly Own = typeof(BootFiles).Assembly;

    /// <summary>The version of the files, which is the program's.</summary>
    internal static string Version { get; } = Own.GetName().Version!.ToString(3);

    /// <summary>The paths of the files below a folder, relative to it, ordered by bytes.</summary>
    internal static IReadOnlyList<string> Under(string folder) =>
    [
        .. Own.GetManifestResourceNames()
            .Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal))
            .Select(name => name[(folder.Length + 1)..])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The bytes of the file with a path below boot/, such as "initramfs/scripts/subroot".</summary>
    internal static byte[] Read(string path)
    {
        using Stream stream = Own.GetManifestResourceStream(path)
            ?? throw new ArgumentException($"no boot file {path}", nameof(path));
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
