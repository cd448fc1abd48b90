using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>A change of permissions in the words of chmod(1): "go-w", "u=rwX,go=rX", or the twelve bits as an octal number.</summary>
public sealed class ModeChange
{
    private const int SetIds = 0xC00, Sticky = 0x200, Execute = 0x49;

    private readonly List<Step> steps;

    private ModeChange(List<Step> steps) => this.steps = steps;

    /// <summary>Reads a change; null for text that is none.</summary>
    public static ModeChange? TryParse(string text)
    {
        if (text.Length is > 0 and <= 4 && text.All(c => c is >= '0' and <= '7'))
        {
            return new ModeChange([new Step('=', FileMetadata.ModeMask, Convert.ToInt32(text, 8), IsOctal: true)]);
        }

        var steps = new List<Step>();
        return text.Split(',').All(clause => TryParse(clause, steps)) ? new ModeChange(steps) : null;
    }

    /// <summary>The mode after the change.</summary>
    public ushort Of(ushort mode, bool isDirectory)
    {
        int result = mode;
        foreach (Step step in steps)
        {
            result = step.Of(result, isDirectory);
        }

        return (ushort)result;
    }

    private static bool TryParse(string clause, List<Step> steps)
    {
        int at = clause.Length - clause.TrimStart('u', 'g', 'o', 'a').Length;
        int who = at == 0 ? FileMetadata.ModeMask : clause[..at].Aggregate(0, (mask, letter) => mask | letter switch
        {
            'u' => 0x9C0,
            'g' => 0x438,
            'o' => 0x207,
            _ => FileMetadata.ModeMask,
        });
        bool isChange = false;
        while (at < clause.Length)
        {
            char sign = clause[at++];
            int start = at;
            while (at < clause.Length && "rwxXst".Contains(clause[at], StringComparison.Ordinal))
            {
                at++;
            }

            string letters = clause[start..at];
            if (sign is not ('+' or '-' or '='))
            {
                return false;
            }

            int bits = letters.Aggregate(0, (sum, letter) => sum | BitsOf(letter));
            steps.Add(new Step(sign, who, bits, IsConditional: letters.Contains('X', StringComparison.Ordinal)));
            isChange = true;
        }

        return isChange;
    }

    private static int BitsOf(char letter) => letter switch
    {
        'r' => 0x124,
        'w' => 0x92,
        'x' => Execute,
        's' => SetIds,
        't' => Sticky,
        _ => 0,
    };

    private readonly record struct Step(char Sign, int Who, int Bits, bool IsConditional = false, bool IsOctal = false)
    {
        internal int Of(int mode, bool isDirectory)
        {
            int bits = (IsConditional && (isDirectory || (mode & Execute) != 0) ? Bits | Execute : Bits) & Who;

            // As with chmod, "=" leaves the set-id bits of a directory that it does not name.
            int kept = isDirectory && !IsOctal ? mode & SetIds : 0;
            return Sign switch
            {
                '+' => mode | bits,
                '-' => mode & ~bits,
                _ => (mode & ~Who) | bits | kept,
            };
        }
    }
}
