using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace HackTree.Model;

/// <summary>Shows bytes (names, paths, targets) to people, and takes them from the command line; nothing else decodes them.</summary>
public static class ByteText
{
    private const char EscapeBase = '\uDC00';
    private const char FirstEscape = '\uDC80';
    private const char LastEscape = '\uDCFF';

    /// <summary>
    /// The bytes as text for a line of output: UTF-8 as it is, but control characters, backslashes and bytes that are not
    /// UTF-8 as C escapes (\n, \\, \ooo), so that one name is one line and no terminal is fooled, nor a reader: what turns
    /// the direction of text around (U+202E) or cannot be seen is escaped too.
    /// </summary>
    public static string Quote(ReadOnlySpan<byte> bytes)
    {
        if (IsPlain(bytes))
        {
            return Encoding.ASCII.GetString(bytes);
        }

        var text = new StringBuilder();
        while (!bytes.IsEmpty)
        {
            bool isValid = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            if (isValid && !IsInvisible(rune) && rune.Value != '\\')
            {
                text.Append(rune.ToString());
            }
            else
            {
                foreach (byte b in bytes[..length])
                {
                    text.Append(Escape(b));
                }
            }

            bytes = bytes[length..];
        }

        return text.ToString();
    }

    /// <summary>The bytes that a string from the command line stands for: UTF-8, and what <see cref="ToArgument"/> made of other bytes.</summary>
    public static byte[] FromArgument(string argument)
    {
        if (argument.AsSpan().IndexOfAnyInRange(FirstEscape, LastEscape) < 0)
        {
            return Encoding.UTF8.GetBytes(argument);
        }

        var bytes = new List<byte>(argument.Length);
        for (ReadOnlySpan<char> rest = argument; !rest.IsEmpty;)
        {
            bool isText = Rune.DecodeFromUtf16(rest, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            if (!isText && rest[0] is >= FirstEscape and <= LastEscape)
            {
                bytes.Add((byte)(rest[0] - EscapeBase));
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(rune.ToString()));
            }

            rest = rest[length..];
        }

        return [.. bytes];
    }

    /// <summary>
    /// Bytes of a command line as a string: a byte that is not UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF, so that
    /// <see cref="FromArgument"/> gives it back. No well-formed text holds one.
    /// </summary>
    public static string ToArgument(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            bool isText = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            if (isText)
            {
                text.Append(rune.ToString());
            }
            else
            {
                foreach (byte b in bytes[..length])
                {
                    text.Append((char)(EscapeBase + b));
                }
            }

            bytes = bytes[length..];
        }

        return text.ToString();
    }

    /// <summary>Whether the bytes are UTF-8 text, so that JSON can hold them as they are.</summary>
    public static bool IsUtf8(ReadOnlySpan<byte> bytes) => Utf8.IsValid(bytes);

    private static bool IsPlain(ReadOnlySpan<byte> bytes) =>
        bytes.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E) < 0 && bytes.IndexOf((byte)'\\') < 0;

    private static bool IsInvisible(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static string Escape(byte b) => b switch
    {
        (byte)'\n' => "\\n",
        (byte)'\t' => "\\t",
        (byte)'\r' => "\\r",
        (byte)'\\' => "\\\\",
        _ => "\\" + Convert.ToString(b, 8).PadLeft(3, '0'),
    };
}
