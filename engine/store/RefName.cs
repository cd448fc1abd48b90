namespace HackTree.Store;

/// <summary>
/// What a ref may be called: components of letters, digits and . _ + @ - joined by '/', none of them beginning with '.'
/// or '-' or ending in ".log", 200 characters at most. So a ref is a path below refs/, never an option or a revision.
/// </summary>
public static class RefName
{
    /// <summary>Whether <paramref name="name"/> may name a ref.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= 200 && name.Split('/').All(IsComponent);

    /// <summary>Throws <see cref="StoreException"/> for a name that is not valid.</summary>
    public static void Require(string name)
    {
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
