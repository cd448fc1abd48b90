using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Says which names a ref may have (FORMAT.md, section 8). A name is a path below refs/, is never an option, and has no ^ or ~ of a revision. What
/// a new name may not be either would be taken for something else: a commit's id, or a word of git's. Refs that have such a name can be read and
/// deleted.
/// </summary>
public static class RefName
{
    /// <summary>The largest number of characters in a name.</summary>
    internal const int MaxLength = 200;

    /// <summary>Whether a ref in a store may be called <paramref name="name"/>.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && name.Split('/').All(IsComponent);

    /// <summary>Whether a new ref may have the name.</summary>
    public static bool IsAllowed(string name) => Fault(name) is null;

    /// <summary>Whether a name is in the directory that another name would be, so that there cannot be refs of both.</summary>
    public static bool IsBelow(string name, string other) => name.StartsWith(other + "/", StringComparison.Ordinal);

    /// <summary>Throws <see cref="StoreException"/> if no new ref may have the name.</summary>
    public static void Require(string name)
    {
        if (Fault(name) is { } fault)
        {
            throw new StoreException(fault);
        }
    }

    private static string? Fault(string name)
    {
        if (name.Length > MaxLength)
        {
            return $"a ref's name has {MaxLength} characters at most, and this one {name.Length}: '{name[..40]}...'";
        }

        string? meaning = Digest.TryParse(name, out _) ? "it looks like a commit's id, which it would hide"
            : name is "@" or "HEAD" || name.EndsWith("_HEAD", StringComparison.Ordinal) ? "with git it means whatever is checked out"
            : IsValid(name) && name.Contains("..", StringComparison.Ordinal) ? "with git two dots mean a range of commits"
            : name.AsSpan().IndexOfAny('^', '~') >= 0 ? "'^' and '~' stand behind a name and mean the parents of its commit"
            : null;
        return meaning is not null ? $"'{name}' cannot name a ref: {meaning}"
            : IsValid(name) ? null
            : $"'{name}' cannot name a ref; use words of letters, digits, '.', '_', '+', '@' and '-' joined by '/', such as debian/bookworm";
    }

    private static bool IsComponent(string component) =>
        component.Length > 0
        && component[0] is not ('.' or '-')
        && !component.EndsWith(".log", StringComparison.Ordinal)
        && component.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '+' or '@' or '-');
}
