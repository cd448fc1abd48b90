using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace HackTree.Model;

/// <summary>
/// Shows bytes (names, paths, targets) to people, and reads them from the command line. Nothing else in the program decodes them.
/// </summary>
public static class ByteText
{
    private const char EscapeBase = '\uDC00';
    private const char FirstEscape = '\uDC80';
    private const char LastEscape = '\uDCFF';

    /// <summary>
    /// The bytes as text for one line of output. UTF-8 stays as it is. Backslashes, control characters and bytes that are not UTF-8 become
    /// C escapes (\\, \n, \ooo), so one name is one line and cannot control the terminal. Characters that are invisible or change the
    /// direction of text (U+202E) are escaped too, so that they cannot deceive a reader.
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

    /// <summary>
    /// The bytes that a command-line string stands for. Undoes what <see cref="ToArgument"/> did to bytes that are not UTF-8.
    /// </summary>
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
    /// Bytes of a command line as a string. A byte that is not UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF, which no well-formed text
    /// contains. <see cref="FromArgument"/> turns it back into the byte.
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

    /// <summary>Whether the bytes are UTF-8 text, so that JSON can hold them unchanged.</summary>
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
