using System.Globalization;
using System.Text;

namespace HackTree.Boot;

/// <summary>What this program adds to an initrd. (A seam: goes when boot/initrd is merged.)</summary>
internal static class BootSegment
{
    internal static byte[] Bytes()
    {
        using var stream = new MemoryStream();
        uint inode = 0x48540000;
        const string top = "initramfs/";
        IEnumerable<string> files = typeof(BootFiles).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(top, StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        Entry(stream, "hacktree", 0x41ED, [], ref inode);
        foreach (string name in files)
        {
            Entry(stream, name[top.Length..], name.Contains("scripts/", StringComparison.Ordinal) ? 0x81EDu : 0x81A4u, BootFiles.Read(name), ref inode);
        }

        Entry(stream, "hacktree/bind-ro", 0x81ED, BootFiles.Read("native/bind-ro"), ref inode);
        Entry(stream, "TRAILER!!!", 0, [], ref inode);
        return stream.ToArray();
    }

    internal static void AppendTo(string initrd)
    {
        using FileStream file = File.OpenWrite(initrd);
        file.Position = (file.Length + 3) / 4 * 4;
        file.Write(Bytes());
    }

    private static void Entry(MemoryStream stream, string name, uint mode, byte[] content, ref uint inode)
    {
        uint[] fields = [inode++, mode, 0, 0, 1, 0, (uint)content.Length, 0, 0, 0, 0, (uint)name.Length + 1, 0];
        string header = "070701" + string.Concat(fields.Select(field => field.ToString("x8", CultureInfo.InvariantCulture)));
        stream.Write(Encoding.ASCII.GetBytes(header + name + '\0'));
        stream.Position = (stream.Position + 3) / 4 * 4;
        stream.Write(content);
        stream.SetLength(stream.Position = (stream.Position + 3) / 4 * 4);
    }
}
