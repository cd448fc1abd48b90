using System.Text.RegularExpressions;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Packaging;

/// <summary>The manual pages that `hacktree man-pages` writes.</summary>
public sealed partial class ManPageTests : IDisposable
{
    private readonly CliWorld world = new(hasStore: false);

    public void Dispose() => world.Dispose();

    [Fact]
    public void Every_command_has_a_page_that_mandoc_finds_no_fault_with()
    {
        Tools.Require("mandoc");
        world.Run("man-pages", "pages/new").Succeeded();
        string[] pages = [.. Directory.GetFiles(world.At("pages/new")).Select(page => Path.GetFileName(page)).Order(StringComparer.Ordinal)];
        string[] expected = ["hacktree.1", .. Commands("").Select(command => $"hacktree-{command.Replace(' ', '-')}.1").Order(StringComparer.Ordinal)];
        Assert.Equal(expected.Order(StringComparer.Ordinal), pages);
        Assert.Equal("", world.Shell("mandoc -T lint -W warning pages/new/*.1 2>&1").Succeeded());
    }

    [Theory]
    [InlineData("commit")]
    [InlineData("initrd install")]
    public void A_page_says_what_the_help_says(string command)
    {
        Tools.Require("mandoc");
        world.Run("man-pages", "pages").Succeeded();
        string page = Words(world.Shell($"set -o pipefail; mandoc -T ascii pages/hacktree-{command.Replace(' ', '-')}.1 | sed 's/.\\x08//g'").Succeeded());
        string help = world.Run([.. command.Split(' '), "--help"]).Succeeded();
        foreach (string line in help.Split('\n').Where(line => line.Length > 0 && !line.EndsWith(':')).SelectMany(line => Gap().Split(line)))
        {
            Assert.Contains(Words(line.Replace("Usage: ", "", StringComparison.Ordinal).TrimEnd('\\')), page);
        }
    }

    [Fact]
    public void Nothing_in_a_text_is_read_as_roff()
    {
        world.Run("man-pages", "pages").Succeeded();
        foreach (string line in Directory.GetFiles(world.At("pages")).SelectMany(page => File.ReadLines(page).Skip(1)))
        {
            Assert.Matches(@"^(\.(SH|SS) .*|\.(TP|PP|br|nf|fi)|([^.'\\`^~""-]|\\[e&-]|\\f[BR]|\\\([a-z]{2}|\\\[u[0-9A-F]{4,6}\]|(?<!^)\.)*)$", line);
        }
    }

    [Fact]
    public void The_same_date_makes_the_same_pages()
    {
        world.Shell("for d in a b; do SOURCE_DATE_EPOCH=86400 $H man-pages $d || exit; done; diff -r a b").Succeeded();
        Assert.StartsWith(".TH HACKTREE 1 1970-01-02 ", File.ReadAllText(world.At("a/hacktree.1")));
    }

    [Fact]
    public void A_place_that_is_no_directory_is_refused() => world.Refuses(1, "tree/etc/passwd", ["man-pages", "tree/etc/passwd"]);

    /// <summary>All commands as the help lists them.</summary>
    private IEnumerable<string> Commands(string above)
    {
        string help = world.Run([.. above.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]).Succeeded();
        // The program's own help has one section for each group; that of a command has one that is called so.
        string part = above.Length == 0 ? help[..help.IndexOf("\nOptions:", StringComparison.Ordinal)] : CommandsSection().Match(help).Value;
        foreach (string name in CommandName().Matches(part).Select(match => match.Groups["name"].Value))
        {
            string command = $"{above} {name}".Trim();
            yield return command;
            foreach (string below in Commands(command))
            {
                yield return below;
            }
        }
    }

    private static string Words(string text) => Space().Replace(text, " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex(@"(?<=\S) {2,}")]
    private static partial Regex Gap();

    [GeneratedRegex(@"^Commands:\n(  .*\n)+", RegexOptions.Multiline)]
    private static partial Regex CommandsSection();

    [GeneratedRegex(@"^  (?<name>[a-z][a-z-]*) ", RegexOptions.Multiline)]
    private static partial Regex CommandName();
}
