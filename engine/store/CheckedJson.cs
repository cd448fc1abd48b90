using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace HackTree.Store;

/// <summary>
/// Small JSON files that a person can read and a flipped bit cannot hide in: the last property, "check", is the XXH3 of
/// the file's bytes with sixteen zeros in its place (FORMAT.md, "Checked JSON").
/// </summary>
internal static class CheckedJson
{
    /// <summary>What stands for the check while it is computed; a record's Check property must be this when written.</summary>
    internal const string NoCheck = "0000000000000000";

    /// <summary>The file's bytes. The type's last property must be its check.</summary>
    internal static byte[] Encode<T>(T value, JsonTypeInfo<T> type)
    {
        byte[] bytes = [.. JsonSerializer.SerializeToUtf8Bytes(value, type), (byte)'\n'];
        int at = bytes.AsSpan().LastIndexOf(Encoding.ASCII.GetBytes(NoCheck));
        string check = XxHash3.HashToUInt64(bytes).ToString("x16", CultureInfo.InvariantCulture);
        Encoding.ASCII.GetBytes(check, bytes.AsSpan(at));
        return bytes;
    }

    /// <summary>The value; null where the bytes are not what <see cref="Encode"/> wrote.</summary>
    internal static T? Decode<T>(ReadOnlySpan<byte> bytes, JsonTypeInfo<T> type, Func<T, string> checkOf)
        where T : class
    {
        T? value;
        try
        {
            value = JsonSerializer.Deserialize(bytes, type);
        }
        catch (JsonException)
        {
            return null;
        }

        byte[] check = value is null || checkOf(value) is not { Length: 16 } text ? [] : Encoding.ASCII.GetBytes(text);
        byte[] blank = bytes.ToArray();
        int at = check.Length == 0 ? -1 : blank.AsSpan().LastIndexOf(check);
        if (at < 0)
        {
            return null;
        }

        Encoding.ASCII.GetBytes(NoCheck, blank.AsSpan(at));
        byte[] expected = Encoding.ASCII.GetBytes(XxHash3.HashToUInt64(blank).ToString("x16", CultureInfo.InvariantCulture));
        return expected.AsSpan().SequenceEqual(check) ? value : null;
    }
}
