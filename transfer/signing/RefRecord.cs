using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Where a ref stands, as its publisher says (transfer/FORMAT.md, section 8). A signature of a commit says nothing of which commit is the newest. This does:
/// it has a number that only grows and a time at which it ends, so nobody can serve an older one for long.
/// </summary>
/// <param name="Ref">The ref.</param>
/// <param name="Commit">The commit that it names.</param>
/// <param name="Serial">The record's number: each one of a ref has a higher one than the one before.</param>
/// <param name="Made">When it was made, in seconds since 1970.</param>
/// <param name="Expires">From when on it is worth nothing.</param>
public sealed record RefRecord(string Ref, Digest Commit, long Serial, long Made, long Expires)
{
    /// <summary>How many of a hundred machines are to upgrade to the commit.</summary>
    public int Cohort { get; init; } = All;

    /// <summary>From when on machines are to upgrade to the commit; 0 for at once.</summary>
    public long NotBefore { get; init; }

    private const int All = 100;
    private const string FirstLine = "hacktree ref record 1";

    /// <summary>Why a machine is not to upgrade now; null if it is.</summary>
    /// <param name="machine">What tells the machine from others, such as the content of /etc/machine-id.</param>
    /// <param name="now">The time, in seconds since 1970.</param>
    public string? ReasonToWait(ReadOnlySpan<byte> machine, long now)
    {
        if (now < NotBefore)
        {
            return $"is to be deployed from {Time(NotBefore)} on";
        }

        // The same machines stay in the cohort while it grows, and others are the first with the next commit.
        byte[] hash = SHA256.HashData([.. machine, (byte)'\n', .. Encoding.ASCII.GetBytes(Commit.ToString())]);
        long place = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(hash) % All;
        return place < Cohort ? null : string.Create(CultureInfo.InvariantCulture, $"is for {Cohort} of 100 machines by now, and this one is not among them");
    }

    /// <summary>The text, which is what is signed.</summary>
    public byte[] Encode() => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"{FirstLine}\nref {Ref}\ncommit {Commit}\nserial {Serial}\nmade {Made}\nexpires {Expires}\ncohort {Cohort}\nnot-before {NotBefore}\n"));

    /// <summary>Reads a text that begins with a record; null for what <see cref="Encode"/> would not have made.</summary>
    public static RefRecord? TryParse(ReadOnlySpan<byte> text, out int length)
    {
        length = 0;
        string[] lines = Encoding.UTF8.GetString(text).Split('\n', 9);
        if (lines.Length < 9 || lines[0] != FirstLine)
        {
            return null;
        }

        bool isDigest = Digest.TryParse(Value(lines[2], "commit "), out Digest commit);
        var record = new RefRecord(Value(lines[1], "ref "), commit, Number(lines[3], "serial "), Number(lines[4], "made "), Number(lines[5], "expires "))
        {
            Cohort = (int)Math.Min(Number(lines[6], "cohort "), int.MaxValue),
            NotBefore = Number(lines[7], "not-before "),
        };
        byte[] again = record.Encode();
        length = again.Length;
        bool isValid = isDigest && RefName.IsAllowed(record.Ref) && record.Serial > 0 && record.Cohort <= All && text.StartsWith(again);
        return isValid && record.Expires <= DateTimeOffset.MaxValue.ToUnixTimeSeconds() && record.NotBefore <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? record
            : null;
    }

    /// <summary>A time for people.</summary>
    internal static string Time(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Value(string line, string key) => line.StartsWith(key, StringComparison.Ordinal) ? line[key.Length..] : "";

    private static long Number(string line, string key) =>
        long.TryParse(Value(line, key), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
