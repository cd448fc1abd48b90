using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// What a ref may be called: components of letters, digits and . _ + @ - joined by '/', none of them beginning with '.'
/// or '-' or ending in ".log", 200 characters at most; no new one is 64 hexadecimal digits. So a ref is a path below refs/, never an
/// option or a revision, and hides no commit's id.
/// </summary>
public static class RefName
{
    /// <summary>The most characters a name has.</summary>
    internal const int MaxLength = 200;

    /// <summary>Whether <paramref name="name"/> may name a ref.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && name.Split('/').All(IsComponent);

    /// <summary>Throws <see cref="StoreException"/> for a name that is not valid.</summary>
    public static void Require(string name)
    {
        if (name.Length > MaxLength)
        {
            throw new StoreException($"a ref's name has {MaxLength} characters at most, and this one {name.Length}: '{name[..40]}...'");
        }

        // One that there is can still be read and deleted.
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
