using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using HackTree.Model;

namespace HackTree.Cli;

/// <summary>The JSON that `--json` gives: the field names are listed in JSON.md and stay.</summary>
internal static class JsonText
{
    private const int FlushFrom = 32 * 1024;

    /// <summary>Writes one JSON document to standard output; indented for a person.</summary>
    internal static void Write(Action<Utf8JsonWriter> content)
    {
        var options = new JsonWriterOptions { Indented = StandardOutput.IsTerminal, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var writer = new Utf8JsonWriter(StandardOutput.Instance, options))
        {
            content(writer);
        }

        StandardOutput.Instance.Write("\n"u8);
    }

    /// <summary>Hands on what was written, so that a listing of a million files is not gathered first. Call it after each item.</summary>
    internal static void EndItem(this Utf8JsonWriter writer)
    {
        writer.WriteEndObject();
        if (writer.BytesPending > FlushFrom)
        {
            writer.Flush();
        }
    }

    /// <summary>A name, path or target: text with U+FFFD for what is not UTF-8, and then the bytes beside it as NAMEBase64.</summary>
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

    /// <summary>"4755".</summary>
    internal static void WriteMode(this Utf8JsonWriter writer, ushort mode) => writer.WriteString("mode", Convert.ToString(mode, 8).PadLeft(4, '0'));
}
