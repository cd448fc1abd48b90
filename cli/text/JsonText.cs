using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using HackTree.Model;

namespace HackTree.Cli;

/// <summary>The JSON of `--json`. JSON.md lists the names of its fields, which do not change.</summary>
internal static class JsonText
{
    private const int FlushFrom = 32 * 1024;

    /// <summary>Writes one JSON document to standard output. On a terminal it is indented.</summary>
    internal static void Write(Action<Utf8JsonWriter> content)
    {
        var options = new JsonWriterOptions
        {
            Indented = StandardOutput.IsTerminal,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (var writer = new Utf8JsonWriter(StandardOutput.Instance, options))
        {
            content(writer);
        }

        StandardOutput.Instance.Write("\n"u8);
    }

    /// <summary>Ends an object and writes out what has gathered, so that a listing of a million files is not kept in memory.</summary>
    internal static void EndItem(this Utf8JsonWriter writer)
    {
        writer.WriteEndObject();
        if (writer.BytesPending > FlushFrom)
        {
            writer.Flush();
        }
    }

    /// <summary>
    /// Writes a name, path or target as text. If the bytes are not UTF-8, the text has U+FFFD in their place, and NAMEBase64 has the bytes.
    /// </summary>
    internal static void WriteBytes(this Utf8JsonWriter writer, string name, ReadOnlySpan<byte> bytes)
    {
        if (ByteText.IsUtf8(bytes))
        {
            writer.WriteString(name, bytes);
            return;
        }

        writer.WriteString(name, Encoding.UTF8.GetString(bytes));
        writer.WriteBase64String(name + "Base64", bytes);
    }

    /// <summary>Writes an array of strings.</summary>
    internal static void WriteStrings(this Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (string value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    internal static void WriteDigest(this Utf8JsonWriter writer, string name, Digest digest)
    {
        if (digest.IsNone)
        {
            writer.WriteNull(name);
        }
        else
        {
            writer.WriteString(name, digest.ToString());
        }
    }

    /// <summary>Writes a mode such as "4755".</summary>
    internal static void WriteMode(this Utf8JsonWriter writer, ushort mode) => writer.WriteString("mode", Octal(mode));

    /// <summary>A mode's four digits: "4755".</summary>
    internal static string Octal(ushort mode) => Convert.ToString(mode, 8).PadLeft(4, '0');
}
