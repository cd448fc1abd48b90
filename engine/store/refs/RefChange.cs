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
    /// <summary>How the reason begins where the commit was pulled.</summary>
    public const string Pulled = "pull: ";

    /// <summary>How it begins where the commit was pushed to this store.</summary>
    public const string Pushed = "push: ";

    /// <summary>How it begins where the commit came as a delta.</summary>
    public const string ByDelta = "delta: ";

    /// <summary>How it begins where the commit came with an image that was made elsewhere.</summary>
    public const string InImage = "image: ";

    private const string None = "-";

    private static readonly string[] Arrivals = [Pulled, Pushed, ByDelta, InImage];

    /// <summary>Whether the commit after it came from elsewhere, so that this store need not be the only one that has it.</summary>
    public bool IsArrival => Arrivals.Any(arrival => Why.StartsWith(arrival, StringComparison.Ordinal));

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
