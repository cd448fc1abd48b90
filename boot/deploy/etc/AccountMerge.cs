using System.Text;

namespace HackTree.Boot;

/// <summary>
/// Merges passwd, group and their kin, account by account. An account's lines are those with the same first field. Each is merged by the rule for
/// files; if both sides changed an account, each field is, and the members of a group one by one. My lines keep their order. New ones follow.
/// </summary>
internal sealed class AccountMerge
{
    private const int NumberField = 2;
    private const int MembersField = 3;

    private static readonly string[] Files = ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"];

    private readonly string file;
    private readonly Dictionary<string, string> old;
    private readonly Dictionary<string, string> theirs;
    private readonly List<string> conflicts = [];
    private readonly List<string> clashes = [];

    private AccountMerge(string file, byte[] old, byte[] mine, byte[] theirs)
    {
        this.file = file;
        this.old = Read(old, out _);
        this.theirs = Read(theirs, out List<string> theirNames);
        Dictionary<string, string> ours = Read(mine, out List<string> myNames);
        var text = new StringBuilder();
        var numbers = new HashSet<string>();
        foreach (string name in myNames)
        {
            if (Merge(name, ours[name]) is { } merged)
            {
                text.Append(merged);
                numbers.Add(NumberOf(merged));
            }
        }

        foreach (string name in theirNames.Where(name => !ours.ContainsKey(name)))
        {
            if (Merge(name, null) is { } added)
            {
                text.Append(added);
                if (file is "passwd" or "group" && NumberOf(added) is { Length: > 0 } number && !numbers.Add(number))
                {
                    clashes.Add(name);
                }
            }
        }

        Merged = Encoding.Latin1.GetBytes(text.ToString());
    }

    internal byte[] Merged { get; }

    /// <summary>Accounts that both changed, each in another way. Mine stay.</summary>
    internal IReadOnlyList<string> Conflicts => conflicts;

    /// <summary>New accounts of theirs whose number another account has.</summary>
    internal IReadOnlyList<string> Clashes => clashes;

    internal static bool Knows(ReadOnlySpan<byte> name) => Array.IndexOf(Files, Encoding.Latin1.GetString(name)) >= 0;

    internal static AccountMerge Run(ReadOnlySpan<byte> file, byte[] old, byte[] mine, byte[] theirs) =>
        new(Encoding.Latin1.GetString(file), old, mine, theirs);

    /// <summary>The lines of each account. Latin-1 keeps every byte. The first field of a line without a colon is the line.</summary>
    private static Dictionary<string, string> Read(byte[] bytes, out List<string> names)
    {
        var lines = new Dictionary<string, string>();
        names = [];
        string text = Encoding.Latin1.GetString(bytes);
        foreach (string line in (text.EndsWith('\n') ? text[..^1] : text).Split('\n'))
        {
            if (text.Length == 0)
            {
                break;
            }

            string name = line.Split(':')[0];
            if (!lines.TryGetValue(name, out string? before))
            {
                names.Add(name);
            }

            lines[name] = $"{before}{line}\n";
        }

        return lines;
    }

    private static string NumberOf(string line) => line.Split(':') is { Length: > NumberField } fields ? fields[NumberField] : "";

    private string? Merge(string name, string? mine)
    {
        string? before = old.GetValueOrDefault(name), after = theirs.GetValueOrDefault(name);
        if (mine == before || mine == after)
        {
            return after;
        }

        if (after == before)
        {
            return mine;
        }

        if (before is not null && mine is not null && after is not null && MergeFields(before, mine, after) is { } merged)
        {
            return merged;
        }

        conflicts.Add(name);
        return mine;
    }

    /// <summary>Merges an account of one line field by field; null if both changed one field, or a side has another number of fields.</summary>
    private string? MergeFields(string before, string mine, string after)
    {
        string[] old = before[..^1].Split(':'), ours = mine[..^1].Split(':'), their = after[..^1].Split(':');
        if ((before + mine + after).Count(letter => letter == '\n') != 3 || old.Length != ours.Length || old.Length != their.Length)
        {
            return null;
        }

        for (int i = 0; i < old.Length; i++)
        {
            if (ours[i] == old[i])
            {
                ours[i] = their[i];
            }
            else if (their[i] != old[i] && their[i] != ours[i])
            {
                if (i != MembersField || file is not ("group" or "gshadow"))
                {
                    return null;
                }

                ours[i] = MergeMembers(old[i], ours[i], their[i]);
            }
        }

        return string.Join(':', ours) + "\n";
    }

    private static string MergeMembers(string old, string mine, string theirs)
    {
        string[] before = Members(old), after = Members(theirs);
        IEnumerable<string> kept = Members(mine).Where(name => after.Contains(name) || !before.Contains(name));
        return string.Join(',', kept.Union(after.Except(before)));
    }

    private static string[] Members(string field) => field.Split(',', StringSplitOptions.RemoveEmptyEntries);
}
