using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace HackTree.Store;

/// <summary>
/// Small JSON files that people can read and whose damage is noticed. The last property, "check", is the XXH3 of the file's bytes with
/// sixteen zeros in its place (FORMAT.md, "Checked JSON").
/// </summary>
/// <remarks>
/// Properties are written and read one by one. The library's serializer would look up each type's attributes at each start of the program,
/// which took a tenth of the time of a short command.
/// </remarks>
internal static class CheckedJson
{
    private const string CheckName = "check";
    private const string NoCheck = "0000000000000000";

    // Names are not escaped: the script that boots a root reads the root's record, and does not understand \u.
    private static readonly JsonWriterOptions Readable = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The bytes of a file with the properties that <paramref name="write"/> adds.</summary>
    internal static byte[] Encode(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, Readable))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteString(CheckName, NoCheck);
            writer.WriteEndObject();
        }

        byte[] bytes = [.. buffer.WrittenSpan, (byte)'\n'];
        Encoding.ASCII.GetBytes(CheckOf(bytes), bytes.AsSpan(bytes.AsSpan().LastIndexOf(Encoding.ASCII.GetBytes(NoCheck))));
        return bytes;
    }

    /// <summary>
    /// The value that <paramref name="read"/> makes of the properties. Null if <see cref="Encode"/> did not write these bytes, or if a property
    /// that <paramref name="read"/> needs is missing or has a wrong value.
    /// </summary>
    internal static T? Decode<T>(ReadOnlySpan<byte> bytes, Func<JsonElement, T> read)
        where T : class
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes.ToArray());
            return IsChecked(bytes, document.RootElement.GetText(CheckName)) ? read(document.RootElement) : null;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>A property that must exist and be a string.</summary>
    internal static string GetText(this JsonElement properties, string name) =>
        properties.GetProperty(name).GetString() ?? throw new FormatException(name);

    /// <summary>A property that must exist and name a value of an enumeration.</summary>
    internal static T GetName<T>(this JsonElement properties, string name)
        where T : struct, Enum =>
        Enum.TryParse(properties.GetText(name), out T value) && Enum.IsDefined(value) ? value : throw new FormatException(name);

    /// <summary>A property that may be missing.</summary>
    internal static JsonElement? Find(this JsonElement properties, string name) =>
        properties.TryGetProperty(name, out JsonElement value) ? value : null;

    private static bool IsChecked(ReadOnlySpan<byte> bytes, string check)
    {
        byte[] blank = bytes.ToArray();
        int at = check.Length == NoCheck.Length ? blank.AsSpan().LastIndexOf(Encoding.ASCII.GetBytes(check)) : -1;
        if (at < 0)
        {
            return false;
        }

        Encoding.ASCII.GetBytes(NoCheck, blank.AsSpan(at));
        return CheckOf(blank) == check;
    }

    private static string CheckOf(ReadOnlySpan<byte> blank) => XxHash3.HashToUInt64(blank).ToString("x16", CultureInfo.InvariantCulture);
}
