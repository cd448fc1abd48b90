using System.Globalization;
using System.Text;

namespace HackTree.Linux;

/// <summary>Makes names that no other file has.</summary>
public static class TemporaryName
{
    private static int counter;

    /// <summary>
    /// A name that no other process makes, and that this process makes once. It begins with the process's number, for people.
    /// </summary>
    public static byte[] New() => Encoding.ASCII.GetBytes($"{Environment.ProcessId}-{Interlocked.Increment(ref counter)}-{RandomDigits()}");

    /// <summary>32 random hexadecimal digits.</summary>
    public static string RandomDigits()
    {
        Sys.Random(out UInt128 number).ThrowIfFailed("getrandom", "a random number");
        return number.ToString("x32", CultureInfo.InvariantCulture);
    }
}
