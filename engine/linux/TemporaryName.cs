using System.Globalization;
using System.Text;

namespace HackTree.Linux;

/// <summary>Makes names that no other file has.</summary>
public static class TemporaryName
{
    private const int RandomLength = 32;

    private static int counter;

    /// <summary>
    /// A name that no other process makes, and that this process makes once. It begins with the process's number, for people.
    /// </summary>
    public static byte[] New() => Encoding.ASCII.GetBytes($"{Environment.ProcessId}-{Interlocked.Increment(ref counter)}-{RandomDigits()}");

    /// <summary>Whether a name is one that <see cref="New"/> makes.</summary>
    public static bool IsOne(ReadOnlySpan<byte> name)
    {
        int random = name.Length - RandomLength;
        return random > 0
            && name[random - 1] == (byte)'-'
            && name[..random].IndexOfAnyExceptInRange((byte)'-', (byte)'9') < 0
            && IsRandom(name[random..]);
    }

    /// <summary>Whether a part of a name is one that <see cref="RandomDigits"/> makes.</summary>
    public static bool IsRandom(ReadOnlySpan<byte> part)
    {
        foreach (byte digit in part)
        {
            if (!char.IsAsciiHexDigitLower((char)digit))
            {
                return false;
            }
        }

        return part.Length == RandomLength;
    }

    /// <summary>32 random hexadecimal digits.</summary>
    public static string RandomDigits()
    {
        Sys.Random(out UInt128 number).ThrowIfFailed("getrandom", "a random number");
        return number.ToString("x32", CultureInfo.InvariantCulture);
    }
}
