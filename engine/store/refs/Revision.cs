using System.Globalization;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Finds the commit that a user names. A name is a ref, an alias of one, a full digest, or a unique prefix of a digest (4 digits at least). Any number of
/// ^ (the first parent) and ~N (N first parents up) may follow. A ref wins over a prefix.
/// </summary>
public static class Revision
{
    private const int ShortestPrefix = 4;
    private const int CandidatesShown = 5;

    /// <summary>The commit that <paramref name="text"/> names. Throws <see cref="StoreException"/> if it names none, or several.</summary>
    public static Digest Resolve(ObjectStore store, string text)
    {
        int steps = text.AsSpan().IndexOfAny('^', '~');
        Digest commit = ResolveBase(store, steps < 0 ? text : text[..steps]);
        for (int generations = steps < 0 ? 0 : Generations(text, steps); generations > 0; generations--)
        {
            Commit read = Read(store, commit, text);
            if (read.Parents.IsEmpty)
            {
                throw new StoreException($"'{text}' goes further back than there are commits: {commit} has no parent");
            }

            commit = read.Parents[0];
        }

        _ = Read(store, commit, text);
        return commit;
    }

    private static Commit Read(ObjectStore store, Digest commit, string text) => store.Packs.TryReadCommit(commit, out Commit? read)
        ? read
        : throw new StoreException($"'{text}' leads to commit {commit}, which is not in this store", new Remedy.LookIntoHistory());

    private static Digest ResolveBase(ObjectStore store, string name)
    {
        if (store.Refs.Find(name) is { IsNone: false } commit)
        {
            return commit;
        }

        if (store.Refs.AliasOf(name) is not null)
        {
            throw new StoreException($"'{name}' is an alias of '{store.Refs.Follow(name).Name}', and there is no such ref", new Remedy.SetAlias());
        }

        if (Digest.TryParse(name, out Digest digest) && store.Packs.TryReadCommit(digest, out _))
        {
            return digest;
        }

        bool isPrefix = name.Length is >= ShortestPrefix and < Digest.HexLength && name.All(char.IsAsciiHexDigitLower);
        List<Digest> found = isPrefix ? store.Packs.CommitsWithPrefix(name, CandidatesShown) : [];
        return found.Count switch
        {
            0 when name.Length is > 0 and < ShortestPrefix && name.All(char.IsAsciiHexDigitLower)
                => throw new StoreException(
                    $"'{name}' is no ref and no commit of {store.Path}; of an id at least {ShortestPrefix} digits are needed"),
            0 => throw new StoreException($"'{name}' is no ref and no commit of {store.Path}", new Remedy.ListRefs()),
            1 => found[0],
            _ => throw new StoreException(
                $"'{name}' could mean several commits: {string.Join(", ", found.Select(d => d.ToString()[..16]))}; give more digits"),
        };
    }

    /// <summary>The number of generations that the ^ and ~N after the name mean.</summary>
    private static int Generations(string text, int start)
    {
        long generations = 0;
        for (int i = start; i < text.Length;)
        {
            bool isTilde = text[i++] == '~';
            int digits = i;
            while (isTilde && i < text.Length && char.IsAsciiDigit(text[i]))
            {
                i++;
            }

            bool isNumber = int.TryParse(text.AsSpan(digits, i - digits), CultureInfo.InvariantCulture, out int number);
            bool isEnd = i == text.Length || text[i] is '^' or '~';
            generations += isNumber ? number : 1;
            if (!isEnd || (i > digits && !isNumber) || generations > int.MaxValue)
            {
                throw new StoreException($"'{text}' does not name a commit; write REF, REF^ or REF~3");
            }
        }

        return (int)generations;
    }
}
