using System.Security.Cryptography;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Tests.Model;

namespace HackTree.Tests.Checkout;

/// <summary>An entry of an archive with all its values.</summary>
internal sealed record TarItem(byte[] Path, TestEntry Entry, byte[] Content, byte[]? HardLink = null)
{
    /// <summary>All entries of an archive, in its order.</summary>
    public static List<TarItem> Read(byte[] archive) => Read(new MemoryStream(archive));

    public static List<TarItem> Read(Stream archive)
    {
        var items = new List<TarItem>();
        var reader = new TarReader(archive);
        while (reader.Next())
        {
            items.Add(ReadItem(reader));
        }

        return items;
    }

    public static byte[] Write(params IEnumerable<TarItem> items)
    {
        var archive = new MemoryStream();
        var writer = new TarWriter(archive);
        foreach (TarItem item in items)
        {
            writer.Add(item.Path, item.Entry.View);
            writer.WriteContent(item.Content.AsSpan(0, item.Content.Length / 3));
            writer.WriteContent(item.Content.AsSpan(item.Content.Length / 3));
        }

        writer.Finish();
        return archive.ToArray();
    }

    /// <summary>Path and values of the entry as a line, in the form in which <see cref="TarPython"/> prints a tree on disk.</summary>
    public string Line()
    {
        string special = Entry.Kind switch
        {
            EntryKind.Regular => $"{Content.Length} {Convert.ToHexStringLower(SHA256.HashData(Content))}",
            EntryKind.Symlink => Convert.ToHexStringLower(Entry.Target),
            EntryKind.CharacterDevice or EntryKind.BlockDevice => $"{Entry.Major}:{Entry.Minor}",
            _ => "",
        };
        var xattrs = new List<string>();
        ReadOnlySpan<byte> rest = Entry.Xattrs;
        while (XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            xattrs.Add($"{Convert.ToHexStringLower(name)}={Convert.ToHexStringLower(value)}");
        }

        FileMetadata metadata = Entry.Metadata;
        return $"{PathText()} {Entry.Kind} {Convert.ToString(metadata.Mode, 8)} {metadata.Uid}:{metadata.Gid} {metadata.ModifyTime} [{special}] {string.Join(',', xattrs)}";
    }

    /// <summary>The lines of a whole archive, sorted. A hard link has the values of its target.</summary>
    public static string[] Lines(IEnumerable<TarItem> items) =>
        [.. WithoutLinks(items).Select(item => item.Line()).Order(StringComparer.Ordinal)];

    /// <summary>Replaces each hard link by a copy of its target.</summary>
    public static IEnumerable<TarItem> WithoutLinks(IEnumerable<TarItem> items)
    {
        var byPath = new Dictionary<string, TarItem>();
        foreach (TarItem item in items)
        {
            TarItem whole = item.HardLink is { } target
                ? byPath[PathText(target)] with { Path = item.Path }
                : item;
            byPath[PathText(item.Path)] = whole;
            yield return whole;
        }
    }

    private string PathText() => PathText(Path);

    private static string PathText(ReadOnlySpan<byte> path)
    {
        Assert.Null(TarPath.Fault(path.IsEmpty ? "."u8 : path));
        var names = new List<string>();
        while (TarPath.Next(ref path, out ReadOnlySpan<byte> name))
        {
            names.Add(Convert.ToHexStringLower(name));
        }

        return "/" + string.Join('/', names);
    }

    private static TarItem ReadItem(TarReader reader)
    {
        var content = new MemoryStream();
        byte[] buffer = new byte[1000];
        while (reader.ReadContent(buffer) is > 0 and var count)
        {
            content.Write(buffer.AsSpan(0, count));
        }

        Assert.Equal(reader.Size, content.Length);
        var entry = new TestEntry(reader.Kind, [], reader.Metadata, reader.Xattrs)
        {
            Size = reader.Size,
            Target = reader.IsHardLink ? [] : reader.LinkTarget.ToArray(),
            Major = reader.DeviceMajor,
            Minor = reader.DeviceMinor,
        };
        return new TarItem(reader.Path.ToArray(), entry, content.ToArray(), reader.IsHardLink ? reader.LinkTarget.ToArray() : null);
    }
}
