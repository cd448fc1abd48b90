using System.Globalization;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Reads lists of keys in the format of ssh-keygen(1), ALLOWED SIGNERS: <c>PRINCIPALS [OPTIONS] TYPE BASE64 [COMMENT]</c>. A line that is wrong is an error, as
/// it is for ssh-keygen: one that was passed over could be the one that limits a key.
/// </summary>
internal static class AllowedSigners
{
    private static readonly string[] Formats = ["yyyyMMdd", "yyyyMMddHHmm", "yyyyMMddHHmmss"];

    /// <summary>Reads a list. Throws <see cref="StoreException"/> for a line that is wrong.</summary>
    /// <param name="text">The list.</param>
    /// <param name="subject">The file's name in errors.</param>
    internal static IEnumerable<TrustedKey> Parse(string text, string subject)
    {
        int number = 0;
        foreach (string each in text.Split('\n'))
        {
            number++;
            string line = each.Trim(' ', '\t', '\r');
            if (line.Length > 0 && line[0] != '#')
            {
                string place = string.Create(CultureInfo.InvariantCulture, $"{subject}:{number}");
                yield return ParseLine(line, place);
            }
        }
    }

    private static TrustedKey ParseLine(string line, string place)
    {
        int start = 0;
        string principals = Principals(line, ref start) ?? throw Wrong(place, "a line is PRINCIPALS [OPTIONS] TYPE KEY");
        if (TryKey(line.AsSpan(start)) is { } key)
        {
            return new TrustedKey(key, principals, place);
        }

        int options = start;
        SkipOptions(line, ref start);
        key = TryKey(line.AsSpan(start).TrimStart(" \t")) ?? throw Wrong(place, "there is no key in the line");
        return WithOptions(new TrustedKey(key, principals, place), line[options..start]);
    }

    /// <summary>The first word, which may stand between double quotes; null if nothing is behind it.</summary>
    private static string? Principals(string line, ref int position)
    {
        bool isQuoted = line[0] == '"';
        int end = isQuoted ? line.IndexOf('"', 1) : line.AsSpan().IndexOfAny(" \t");
        if (end < 0)
        {
            return null;
        }

        string principals = line[(isQuoted ? 1 : 0)..end];
        position = isQuoted ? end + 1 : end;
        while (position < line.Length && line[position] is ' ' or '\t')
        {
            position++;
        }

        return principals.Length > 0 ? principals : null;
    }

    /// <summary>Goes to the end of a word in which blanks between double quotes do not count.</summary>
    private static void SkipOptions(string line, ref int position)
    {
        bool isQuoted = false;
        for (; position < line.Length && (isQuoted || line[position] is not (' ' or '\t')); position++)
        {
            if (line[position] == '\\' && position + 1 < line.Length && line[position + 1] == '"')
            {
                position++;
            }
            else if (line[position] == '"')
            {
                isQuoted = !isQuoted;
            }
        }
    }

    private static SshKey? TryKey(ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAny(" \t");
        if (end < 0)
        {
            return null;
        }

        ReadOnlySpan<char> type = text[..end], digits = text[end..].TrimStart(" \t");
        digits = digits.IndexOfAny(" \t") is >= 0 and var behind ? digits[..behind] : digits;
        byte[] blob = new byte[digits.Length];
        SshKey? key = Convert.TryFromBase64Chars(digits, blob, out int length) ? SshKey.TryParse(blob.AsSpan(0, length)) : null;
        return key is not null && type.SequenceEqual(key.Type) ? key : null;
    }

    private static TrustedKey WithOptions(TrustedKey key, string options)
    {
        while (true)
        {
            int end = options.AsSpan().IndexOfAny(",=");
            string name = (end < 0 ? options : options[..end]).ToLowerInvariant();
            if (name == "cert-authority")
            {
                throw Wrong(key.Place, "certificates are not known here (cert-authority); list the keys themselves");
            }

            if (end < 0 || options[end] != '=' || Quoted(options[(end + 1)..], out string rest) is not { } value)
            {
                throw Wrong(key.Place, $"'{name}' is no option of a trusted key");
            }

            key = (name, key) switch
            {
                ("namespaces", { Namespaces: null }) => key with { Namespaces = value },
                ("valid-after", { ValidAfter: null }) => key with { ValidAfter = Time(value, key.Place) },
                ("valid-before", { ValidBefore: null }) => key with { ValidBefore = Time(value, key.Place) },
                ("namespaces" or "valid-after" or "valid-before", _) => throw Wrong(key.Place, $"{name} is there twice"),
                _ => throw Wrong(key.Place, $"'{name}' is no option of a trusted key"),
            };
            if (rest.Length == 0)
            {
                return key;
            }

            options = rest[0] == ',' ? rest[1..] : throw Wrong(key.Place, $"a comma is missing behind {name}");
        }
    }

    /// <summary>A value between double quotes, in which \" is one; null if it is none.</summary>
    private static string? Quoted(string text, out string rest)
    {
        rest = "";
        if (!text.StartsWith('"'))
        {
            return null;
        }

        for (int i = 1; i < text.Length; i++)
        {
            if (text[i] == '"' && text[i - 1] != '\\')
            {
                rest = text[(i + 1)..];
                return text[1..i].Replace("\\\"", "\"", StringComparison.Ordinal);
            }
        }

        return null;
    }

    /// <summary>A time as YYYYMMDD[HHMM[SS]], of this machine's time zone unless a Z stands behind it.</summary>
    private static long Time(string text, string place)
    {
        bool isUtc = text.EndsWith('Z');
        DateTimeStyles style = isUtc ? DateTimeStyles.AssumeUniversal : DateTimeStyles.AssumeLocal;
        return DateTimeOffset.TryParseExact(text.TrimEnd('Z'), Formats, CultureInfo.InvariantCulture, style, out DateTimeOffset time)
            ? time.ToUnixTimeSeconds()
            : throw Wrong(place, $"'{text}' is no time; write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with a Z behind it for UTC");
    }

    private static StoreException Wrong(string place, string fault) => new($"{place}: {fault}");
}
