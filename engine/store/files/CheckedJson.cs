using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace HackTree.Store;

/// <summary>
/// Small JSON files that a person can read and a flipped bit cannot hide in: the last property, "check", is the XXH3 of
/// the file's bytes with sixteen zeros in its place (FORMAT.md, "Checked JSON").
/// </summary>
/// <remarks>
/// Properties are written and read one by one. The library's serializer asks each type for its attributes at each start of the program,
/// which was a tenth of the time of a short command.
/// </remarks>
internal static class CheckedJson
{
    private const string CheckName = "check";
    private const string NoCheck = "0000000000000000";

    // Names stay as they are: the script that boots a root reads its record, and knows no \u.
    private static readonly JsonWriterOptions Readable = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The bytes of a file with the properties that <paramref name="write"/> writes.</summary>
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
    /// What <paramref name="read"/> makes of the properties; null where the bytes are not what <see cref="Encode"/> wrote, or
    /// lack a property that it asks for, or have another value there.
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

    /// <summary>A property that must be there, and a string.</summary>
    internal static string GetText(this JsonElement properties, string name) =>
        properties.GetProperty(name).GetString() ?? throw new FormatException(name);

    /// <summary>A property that must be there, and the name of a value of an enumeration.</summary>
    internal static T GetName<T>(this JsonElement properties, string name)
        where T : struct, Enum =>
        Enum.TryParse(properties.GetText(name), out T value) && Enum.IsDefined(value) ? value : throw new FormatException(name);

    /// <summary>A property that may be absent.</summary>
    internal static JsonElement? Find(this JsonElement properties, string name) => properties.TryGetProperty(name, out JsonElement value) ? value : null;

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
