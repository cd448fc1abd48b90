using System.Reflection;

namespace HackTree.Boot;

/// <summary>The files below boot/ that end up in an initrd; the program carries them.</summary>
internal static class BootFiles
{
    private static readonly Assembly Own = typeof(BootFiles).Assembly;

    /// <summary>The version of all of them.</summary>
    internal static string Version { get; } = Own.GetName().Version!.ToString(3);

    /// <summary>The paths below a folder, without its name, in the order of their bytes.</summary>
    internal static IReadOnlyList<string> Under(string folder) =>
    [
        .. Own.GetManifestResourceNames()
            .Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal))
            .Select(name => name[(folder.Length + 1)..])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The bytes of one, by its path below boot/, such as "initramfs/scripts/subroot".</summary>
    internal static byte[] Read(string path)
    {
        using Stream stream = Own.GetManifestResourceStream(path)
            ?? throw new ArgumentException($"no boot file {path}", nameof(path));
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
