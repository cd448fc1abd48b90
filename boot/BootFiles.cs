namespace HackTree.Boot;

/// <summary>The files below boot/ that end up in an initrd; the program carries them.</summary>
internal static class BootFiles
{
    /// <summary>The bytes of one, by its path below boot/, such as "initramfs/scripts/subroot".</summary>
    internal static byte[] Read(string path)
    {
        using Stream stream = typeof(BootFiles).Assembly.GetManifestResourceStream(path)
            ?? throw new ArgumentException($"no boot file {path}", nameof(path));
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
