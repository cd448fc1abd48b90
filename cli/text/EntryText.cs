using System.Globalization;
using System.Text.Json;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Cli;

/// <summary>Text and JSON of tree entries, for `ls`.</summary>
internal static class EntryText
{
    /// <summary>The columns before the name, in the form of `ls -l`: "-rwxr-xr-x root root 1234 2026-11-23 04:17 ".</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="owners">The names of owners; null for numbers.</param>
    internal static string Long(in TreeEntry entry, OwnerNames? owners)
    {
        bool isDevice = entry.Kind is EntryKind.CharacterDevice or EntryKind.BlockDevice;
        string size = isDevice ? $"{entry.DeviceMajor}, {entry.DeviceMinor}" : entry.Size.ToString(CultureInfo.InvariantCulture);
        FileMetadata metadata = entry.Metadata;
        string mode = Mode("?-dlcbp"[(int)entry.Kind], metadata.Mode) + (entry.Xattrs.IsEmpty ? ' ' : '+');
        string time = HumanText.ShortDate(metadata.ModifyTime);
        return owners is null
            ? string.Create(CultureInfo.InvariantCulture, $"{mode} {metadata.Uid,5} {metadata.Gid,5} {size,10} {time} ")
            : $"{mode} {owners.User(metadata.Uid),-8} {owners.Group(metadata.Gid),-8} {size,10} {time} ";
    }

    /// <summary>The column of the digest: 64 digits, or '-' for an entry that has neither content nor entries, and two spaces.</summary>
    internal static string Digest(in TreeEntry entry) => (entry.Digest.IsNone ? "-" : entry.Digest.ToString()).PadRight(Model.Digest.HexLength + 2);

    /// <summary>One entry as a JSON object.</summary>
    internal static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> path, in TreeEntry entry)
    {
        writer.WriteStartObject();
        writer.WriteBytes("path", path);
        writer.WriteString("type", TypeOf(entry.Kind));
        writer.WriteMode(entry.Metadata.Mode);
        writer.WriteNumber("uid", entry.Metadata.Uid);
        writer.WriteNumber("gid", entry.Metadata.Gid);
        writer.WriteNumber("mtime", entry.Metadata.ModifyTime);
        switch (entry.Kind)
        {
            case EntryKind.Regular:
                writer.WriteNumber("size", entry.Size);
                writer.WriteDigest("digest", entry.Digest);
                break;
            case EntryKind.Directory:
                writer.WriteDigest("digest", entry.Digest);
                break;
            case EntryKind.Symlink:
                writer.WriteBytes("target", entry.Target);
                break;
            case EntryKind.CharacterDevice or EntryKind.BlockDevice:
                writer.WriteNumber("major", entry.DeviceMajor);
                writer.WriteNumber("minor", entry.DeviceMinor);
                break;
        }

        WriteXattrs(writer, entry.Xattrs);
        writer.EndItem();
    }

    /// <summary>The name of a kind: "file", "directory" and so on.</summary>
    internal static string TypeOf(EntryKind kind) => kind switch
    {
        EntryKind.Regular => "file",
        EntryKind.Directory => "directory",
        EntryKind.Symlink => "symlink",
        EntryKind.CharacterDevice => "character-device",
        EntryKind.BlockDevice => "block-device",
        EntryKind.Fifo => "fifo",
        _ => "none",
    };

    /// <summary>The same words for what is on disk, which may be a socket too.</summary>
    internal static string TypeOf(FileType type) => type switch
    {
        FileType.Regular => "file",
        FileType.Directory => "directory",
        FileType.Symlink => "symlink",
        FileType.CharacterDevice => "character-device",
        FileType.BlockDevice => "block-device",
        FileType.Fifo => "fifo",
        FileType.Socket => "socket",
        _ => "none",
    };

    private static void WriteXattrs(Utf8JsonWriter writer, ReadOnlySpan<byte> canonical)
    {
        if (canonical.IsEmpty)
        {
            return;
        }

        writer.WriteStartArray("xattrs");
        while (XattrSet.Next(ref canonical, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            writer.WriteStartObject();
            writer.WriteBytes("name", name);
            writer.WriteBase64String("valueBase64", value);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>A mode such as "drwxr-xr-x". <paramref name="type"/> is the letter for the file type.</summary>
    internal static string Mode(char type, ushort mode)
    {
        Span<char> text = stackalloc char[10];
        text[0] = type;
        for (int i = 0; i < 9; i++)
        {
            text[i + 1] = (mode & (0x100 >> i)) != 0 ? "rwx"[i % 3] : '-';
        }

        Mark(text, 3, (mode & 0x800) != 0, 's');
        Mark(text, 6, (mode & 0x400) != 0, 's');
        Mark(text, 9, (mode & 0x200) != 0, 't');
        return text.ToString();
    }

    /// <summary>Puts the letter of set-uid, set-gid or sticky in place of an x. Without an x, it is a capital letter.</summary>
    private static void Mark(Span<char> text, int at, bool isSet, char mark) =>
        text[at] = !isSet ? text[at] : text[at] == 'x' ? mark : char.ToUpperInvariant(mark);
}
