using System.Globalization;

namespace HackTree.Transfer;

/// <summary>One line of a list of trusted keys.</summary>
/// <param name="Key">The key.</param>
/// <param name="Principals">Whose it is, as the line says.</param>
/// <param name="Place">The file and the line's number.</param>
public sealed record TrustedKey(SshKey Key, string Principals, string Place)
{
    /// <summary>Patterns of what the key may sign; null for everything.</summary>
    internal string? Namespaces { get; init; }

    /// <summary>The time before which the key is not trusted, in seconds since 1970; null for none.</summary>
    internal long? ValidAfter { get; init; }

    /// <summary>The time after which the key is not trusted any more; null for none.</summary>
    internal long? ValidBefore { get; init; }

    /// <summary>Why the key is not trusted for a purpose at a time; null if it is.</summary>
    internal string? FaultAt(long now, string space) => this switch
    {
        _ when Namespaces is { } allowed && !PatternList.Matches(allowed, space) => $"the key is trusted for other things only (namespaces=\"{allowed}\")",
        _ when now < ValidAfter => $"the key is trusted from {Day(ValidAfter.Value)} on only",
        _ when now > ValidBefore => $"the key was trusted until {Day(ValidBefore.Value)} only",
        _ => null,
    };

    private static string Day(long time) => DateTimeOffset.FromUnixTimeSeconds(time).ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture);
}
