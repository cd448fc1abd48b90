using System.Globalization;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// One line of a ref's log (FORMAT.md, "Refs"). As text it is "&lt;before&gt; &lt;after&gt; &lt;seconds since 1970&gt; &lt;why&gt;".
/// </summary>
/// <param name="Before">The commit that the ref named before; none if the ref was new.</param>
/// <param name="After">The commit that the ref named afterwards; none if the ref was deleted.</param>
/// <param name="Time">Seconds since 1970.</param>
/// <param name="Why">The reason, in one line.</param>
public sealed record RefChange(Digest Before, Digest After, long Time, string Why)
{
    private const string None = "-";

    // FORMAT.md, "Refs".
    private static readonly string[] arrivals = ["pull: ", "push: ", "delta: ", "image: "];

    /// <summary>Whether the commit after it came from elsewhere, so that it is not lost with this store.</summary>
    public bool IsArrival => arrivals.Any(arrival => Why.StartsWith(arrival, StringComparison.Ordinal));

    /// <summary>Reads a line; null if the line is incomplete, as a full disk may leave it.</summary>
    public static RefChange? TryParse(string line)
    {
        string[] parts = line.Split(' ', 4);
        return parts.Length == 4
            && TryParse(parts[0], out Digest before)
            && TryParse(parts[1], out Digest after)
            && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out long time)
            ? new RefChange(before, after, time, parts[3])
            : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{TextOf(Before)} {TextOf(After)} {Time} {Why}");

    private static bool TryParse(string text, out Digest digest)
    {
        digest = default;
        return text == None || Digest.TryParse(text, out digest);
    }

    private static string TextOf(Digest digest) => digest.IsNone ? None : digest.ToString();
}
