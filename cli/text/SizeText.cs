using System.CommandLine.Parsing;
using System.Globalization;

namespace HackTree.Cli;

/// <summary>Sizes as people type them: 512M, 4G, 1T; bytes without a letter.</summary>
internal static class SizeText
{
    private const string Units = "KMGT";

    internal static long Parse(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        int unit = text.Length > 0 ? Units.IndexOf(char.ToUpperInvariant(text[^1])) : -1;
        long factor = 1L << (10 * (unit + 1));
        if (long.TryParse(unit < 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= long.MaxValue / factor)
        {
            return number * factor;
        }

        result.AddError($"'{text}' is no size; write a number and K, M, G or T, such as 4G");
        return 0;
    }
}
