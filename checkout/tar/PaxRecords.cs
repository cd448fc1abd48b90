using System.Buffers;
using System.Buffers.Text;

namespace HackTree.Checkout;

/// <summary>
/// The content of a pax extended header: records of a keyword and a value, <c>"%d %s=%s\n"</c>. The number is the length of the whole
/// record in bytes, including the number itself (IEEE Std 1003.1, pax, "pax Extended Header"). Values may hold any byte.
/// </summary>
internal static class PaxRecords
{
    private const int MaxLengthDigits = 10;

    /// <summary>
    /// Takes the first record off <paramref name="rest"/>, which must not be empty. Returns what is wrong with the record, or null.
    /// </summary>
    internal static string? Take(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        key = value = default;
        int space = rest[..Math.Min(rest.Length, MaxLengthDigits + 1)].IndexOf((byte)' ');
        if (space <= 0 || !TryDecimal(rest[..space], out long length))
        {
            return "a pax record does not begin with its length";
        }

        if (length <= space + 1 || length > rest.Length || rest[(int)length - 1] != '\n')
        {
            return "the length of a pax record is wrong";
        }

        ReadOnlySpan<byte> record = rest[(space + 1)..((int)length - 1)];
        int equals = record.IndexOf((byte)'=');
        if (equals <= 0)
        {
            return "a pax record has no keyword";
        }

        key = record[..equals];
        value = record[(equals + 1)..];
        rest = rest[(int)length..];
        return null;
    }

    /// <summary>Appends a record.</summary>
    internal static void Append(ArrayBufferWriter<byte> records, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        // The length counts its own digits, so adding them may add one more digit.
        int rest = key.Length + value.Length + 3;
        int length = rest + Digits(rest);
        length = rest + Digits(length);
        Append(records, length);
        records.Write(" "u8);
        records.Write(key);
        records.Write("="u8);
        records.Write(value);
        records.Write("\n"u8);
    }

    /// <summary>Appends a record with a number.</summary>
    internal static void Append(ArrayBufferWriter<byte> records, ReadOnlySpan<byte> key, long value)
    {
        Span<byte> text = stackalloc byte[20];
        bool isWhole = Utf8Formatter.TryFormat(value, text, out int length);
        System.Diagnostics.Debug.Assert(isWhole);
        Append(records, key, text[..length]);
    }

    /// <summary>Reads a number that consists of decimal digits only. False also if the number does not fit.</summary>
    internal static bool TryDecimal(ReadOnlySpan<byte> text, out long value)
    {
        value = 0;
        return AreDigits(text)
            && Utf8Parser.TryParse(text, out value, out int used)
            && used == text.Length;
    }

    /// <summary>Reads a time in pax form, such as <c>-1.5</c>, and rounds it down to whole seconds.</summary>
    internal static bool TryTime(ReadOnlySpan<byte> text, out long seconds)
    {
        seconds = 0;
        int point = text.IndexOf((byte)'.');
        ReadOnlySpan<byte> whole = point < 0 ? text : text[..point];
        ReadOnlySpan<byte> fraction = point < 0 ? default : text[(point + 1)..];
        bool isNegative = text.StartsWith("-"u8);
        bool isBelow = isNegative && fraction.IndexOfAnyExcept((byte)'0') >= 0;
        bool isTime = AreDigits(isNegative ? whole[1..] : whole)
            && (fraction.IsEmpty || AreDigits(fraction))
            && Utf8Parser.TryParse(whole, out seconds, out int used)
            && used == whole.Length
            && !(isBelow && seconds == long.MinValue);
        seconds -= isTime && isBelow ? 1 : 0;
        return isTime;
    }

    private static bool AreDigits(ReadOnlySpan<byte> text) => !text.IsEmpty && text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;

    private static void Append(ArrayBufferWriter<byte> records, int number)
    {
        Utf8Formatter.TryFormat(number, records.GetSpan(MaxLengthDigits), out int length);
        records.Advance(length);
    }

    private static int Digits(int number)
    {
        int digits = 1;
        for (; number >= 10; number /= 10)
        {
            digits++;
        }

        return digits;
    }
}
