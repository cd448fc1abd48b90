using System.Globalization;
using System.Text;
using HackTree.Checkout;
using HackTree.Model;

namespace HackTree.Tests.Checkout;

/// <summary>
/// A tree from composefs's dump format (composefs-dump(5)): a line for each entry, with path, size, mode, links, uid, gid, device, time, payload,
/// content, digest and attributes. Hard links and parts of a second are not read, because HackTree's trees have neither.
/// </summary>
internal sealed class DumpSource : IImageSource
{
    private readonly Dictionary<Digest, Tree> trees = [];
    private readonly Dictionary<Digest, (byte[]? Content, byte[] Path, Digest Verity)> files = [];
    private readonly SortedDictionary<string, string[]> lines = new(StringComparer.Ordinal);
    private readonly ILookup<string, string> below;

    private DumpSource(string dump)
    {
        // Latin-1 keeps bytes as they are.
        foreach (string line in dump.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split(' ');
            lines.Add(Encoding.Latin1.GetString(Unescape(fields[0])), fields);
        }

        below = lines.Keys.Where(path => path != "/").ToLookup(path => path[..Math.Max(1, path.LastIndexOf('/'))], StringComparer.Ordinal);
        Root = lines["/"];
        RootTree = TreeOf("/");
    }

    private string[] Root { get; }

    private Digest RootTree { get; }

    /// <summary>Makes the image of a dump, and its fs-verity digest.</summary>
    public static byte[] MakeImage(string dump, out Digest digest)
    {
        var source = new DumpSource(dump);
        using var image = new MemoryStream();
        var top = new TreeEntry
        {
            Kind = EntryKind.Directory,
            Metadata = MetadataOf(source.Root),
            Xattrs = XattrsOf(source.Root),
            Digest = source.RootTree,
        };
        digest = ImageWriter.Write(source, top, piece => image.Write(piece), CancellationToken.None);
        return image.ToArray();
    }

    public Tree ReadTree(Digest digest) => trees[digest];

    public bool IsInline(in TreeEntry file) => files[file.Digest].Content is not null;

    public ReadOnlySpan<byte> ContentOf(in TreeEntry file) => files[file.Digest].Content;

    public ReadOnlySpan<byte> PathOf(in TreeEntry file, Span<byte> buffer) => files[file.Digest].Path;

    public Digest VerityOf(in TreeEntry file) => files[file.Digest].Verity;

    private Digest TreeOf(string path)
    {
        var builder = new TreeBuilder();
        foreach (string child in below[path])
        {
            Add(builder, child, lines[child]);
        }

        Tree tree = builder.Build();
        Digest digest = Tree.DigestOf(tree.Bytes);
        trees[digest] = tree;
        return digest;
    }

    private void Add(TreeBuilder builder, string path, string[] fields)
    {
        EntryKind kind = KindOf(fields);
        uint device = uint.Parse(fields[6], CultureInfo.InvariantCulture);
        bool isDevice = kind is EntryKind.BlockDevice or EntryKind.CharacterDevice;
        builder.Add(new TreeEntry
        {
            Kind = kind,
            Name = Encoding.Latin1.GetBytes(path[(path.LastIndexOf('/') + 1)..]),
            Metadata = MetadataOf(fields),
            Xattrs = XattrsOf(fields),
            Size = kind == EntryKind.Regular ? long.Parse(fields[1], CultureInfo.InvariantCulture) : 0,
            Digest = kind == EntryKind.Directory ? TreeOf(path) : kind == EntryKind.Regular ? FileOf(fields) : default,
            Target = kind == EntryKind.Symlink ? Unescape(fields[8]) : default,
            DeviceMajor = isDevice ? (device >> 8) & 0xFFF : 0,
            DeviceMinor = isDevice ? (device & 0xFF) | ((device >> 12) & ~0xFFu) : 0,
        });
    }

    private Digest FileOf(string[] fields)
    {
        var digest = Digest.Of(Encoding.Latin1.GetBytes(string.Join(' ', fields)));
        _ = Digest.TryParse(fields[10], out Digest verity);
        files[digest] = (fields[9] == "-" ? null : Unescape(fields[9]), fields[8] == "-" ? [] : [(byte)'/', .. Unescape(fields[8])], verity);
        return digest;
    }

    private static EntryKind KindOf(string[] fields) => (Convert.ToInt32(fields[2], 8) & 0xF000) switch
    {
        0x8000 => EntryKind.Regular,
        0x4000 => EntryKind.Directory,
        0xA000 => EntryKind.Symlink,
        0x2000 => EntryKind.CharacterDevice,
        0x6000 => EntryKind.BlockDevice,
        0x1000 => EntryKind.Fifo,
        _ => throw new FormatException(fields[2]),
    };

    private static FileMetadata MetadataOf(string[] fields)
    {
        Assert.EndsWith(".0", fields[7], StringComparison.Ordinal);
        return new FileMetadata(
            (ushort)(Convert.ToInt32(fields[2], 8) & FileMetadata.ModeMask),
            uint.Parse(fields[4], CultureInfo.InvariantCulture),
            uint.Parse(fields[5], CultureInfo.InvariantCulture),
            long.Parse(fields[7][..^2], CultureInfo.InvariantCulture));
    }

    private static byte[] XattrsOf(string[] fields) => XattrSet.Encode(fields[11..].Select(field =>
    {
        int equals = field.IndexOf('=', StringComparison.Ordinal);
        return (Unescape(field[..equals]), Unescape(field[(equals + 1)..]));
    }));

    private static byte[] Unescape(string text)
    {
        var bytes = new List<byte>(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '\\')
            {
                c = text[++i];
                bytes.Add(c switch { 'n' => (byte)'\n', 'r' => (byte)'\r', 't' => (byte)'\t', 'x' => Convert.ToByte(text.Substring(i + 1, 2), 16), _ => (byte)c });
                i += c == 'x' ? 2 : 0;
            }
            else
            {
                bytes.Add((byte)c);
            }
        }

        return [.. bytes];
    }
}
