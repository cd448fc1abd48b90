using System.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>A mount, as a line of mountinfo describes it (proc_pid_mountinfo(5)). All paths are in the form of a command line's.</summary>
/// <param name="Id">The mount's number.</param>
/// <param name="Device">The filesystem's device: "8:1".</param>
/// <param name="Root">The directory of the filesystem that is mounted, as a path in that filesystem.</param>
/// <param name="Point">The mount point.</param>
/// <param name="Type">The filesystem's type.</param>
/// <param name="Options">The filesystem's options, with the kernel's escapes.</param>
/// <param name="IsReadOnly">Whether nothing can be written through this mount. Others of the filesystem may be writable.</param>
public sealed record Mount(ulong Id, string Device, string Root, string Point, string Type, string Options, bool IsReadOnly)
{
    private const int FieldsBeforeOptional = 6;

    /// <summary>The source that the mount call named: a device, or any word.</summary>
    public string Source { get; init; } = "";

    /// <summary>Reads a line of mountinfo; null if it is none.</summary>
    internal static Mount? Parse(ReadOnlySpan<byte> line)
    {
        // ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL...] - TYPE SOURCE OPTIONS
        string[] fields = Encoding.Latin1.GetString(line).Split(' ');
        int end = fields.Length < FieldsBeforeOptional ? -1 : Array.IndexOf(fields, "-", FieldsBeforeOptional);
        return end >= 0 && end + 3 < fields.Length && ulong.TryParse(fields[0], out ulong id)
            ? new Mount(id, fields[2], Unescape(fields[3]), Unescape(fields[4]), fields[end + 1], fields[end + 3], fields[5].Split(',').Contains("ro"))
            {
                Source = Unescape(fields[end + 2]),
            }
            : null;
    }

    /// <summary>Replaces the kernel's escapes, which are a backslash and three octal digits.</summary>
    /// <param name="field">The field's bytes, as Latin-1.</param>
    internal static string Unescape(string field)
    {
        var bytes = new List<byte>(field.Length);
        for (int i = 0; i < field.Length; i++)
        {
            if (TryUnescape(field.AsSpan(i), out byte value))
            {
                bytes.Add(value);
                i += 3;
            }
            else
            {
                bytes.Add((byte)field[i]);
            }
        }

        return ByteText.ToArgument(bytes.ToArray());
    }

    private static bool TryUnescape(ReadOnlySpan<char> text, out byte value)
    {
        value = 0;
        if (text.Length < 4 || text[0] != '\\' || text[1..4].ContainsAnyExceptInRange('0', '7'))
        {
            return false;
        }

        value = (byte)(((text[1] - '0') << 6) | ((text[2] - '0') << 3) | (text[3] - '0'));
        return true;
    }
}
