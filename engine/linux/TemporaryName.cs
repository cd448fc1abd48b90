using System.Globalization;
using System.Text;

namespace HackTree.Linux;

/// <summary>Makes names that nothing else has.</summary>
public static class TemporaryName
{
    private static int counter;

    /// <summary>A name that no other process makes, and this one once. It begins with the process's number, for people who look.</summary>
    public static byte[] New() => Encoding.ASCII.GetBytes($"{Environment.ProcessId}-{Interlocked.Increment(ref counter)}-{RandomDigits()}");

    /// <summary>32 hexadecimal digits that nobody else has.</summary>
    public static string RandomDigits()
    {
        Sys.Random(out UInt128 number).ThrowIfFailed("getrandom", "a random number");
        return number.ToString("x32", CultureInfo.InvariantCulture);
    }
}
