using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Says which names a ref may have. A name has components of letters, digits and . _ + @ - that are joined by '/'. No component begins with
/// '.' or '-' or ends in ".log". A name has 200 characters at most. A new name is not 64 hexadecimal digits, because it would hide a
/// commit's id. So every name is a path below refs/ and never an option, and has no ^ or ~ of a revision.
/// </summary>
public static class RefName
{
    /// <summary>The largest number of characters in a name.</summary>
    internal const int MaxLength = 200;

    /// <summary>Whether <paramref name="name"/> may name a ref.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && name.Split('/').All(IsComponent);

    /// <summary>Throws <see cref="StoreException"/> if no new ref may have the name.</summary>
    public static void Require(string name)
    {
        if (name.Length > MaxLength)
        {
            throw new StoreException($"a ref's name has {MaxLength} characters at most, and this one {name.Length}: '{name[..40]}...'");
        }

        // Existing refs with such a name can still be read and deleted.
        if (Digest.TryParse(name, out _))
        {
            throw new StoreException($"'{name}' cannot name a ref: it looks like a commit's id, which it would hide");
        }

        if (!IsValid(name))
        {
            throw new StoreException($"'{name}' cannot name a ref; use words of letters, digits, '.', '_', '+', '@' and '-' joined by '/', such as debian/bookworm");
        }
    }

    private static bool IsComponent(string component) =>
        component.Length > 0
        && component[0] is not ('.' or '-')
        && !component.EndsWith(".log", StringComparison.Ordinal)
        && component.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '+' or '@' or '-');
}
