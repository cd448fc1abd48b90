using System.Text.RegularExpressions;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Cli;

/// <summary>The help of every command, and what it may be asked with.</summary>
public sealed partial class HelpTests : IDisposable
{
    private const int WidthOfPipe = 80;

    private readonly CliWorld world = new(hasStore: false);

    public void Dispose() => world.Dispose();

    [Fact]
    public void It_is_in_groups() =>
        Assert.Equal(
            ["Store:", "Look:", "Roots:", "Machine:", "Other machines:", "Upkeep:", "Booting:", "Other:", "Options:"],
            world.Run("--help").Succeeded().Split('\n').Where(line => line.EndsWith(':') && !line.StartsWith(' ')));

    [Fact]
    public void No_line_is_wider_than_a_pipe_and_the_last_is_an_example()
    {
        string[][] commands = [.. Commands([])];
        Assert.Contains(commands, command => string.Join(' ', command) == "image create");
        Assert.All(commands, command =>
        {
            string help = world.Run(["help", .. command]).Succeeded();
            Assert.Equal(help, world.Run([.. command, "--help"]).Succeeded());
            Assert.DoesNotContain("System.", help, StringComparison.Ordinal);
            Assert.All(help.Split('\n'), line => Assert.InRange(line.Length, 0, WidthOfPipe));
            string[] examples = help[help.LastIndexOf("\nExample", StringComparison.Ordinal)..].Replace(" \\\n      ", " ").TrimEnd().Split('\n')[2..];
            Assert.NotEmpty(examples);
            Assert.All(examples, example => Assert.Matches($@"^  .*hacktree {string.Join(' ', command)}\b", example));
        });
    }

    [Theory]
    [InlineData(40)]
    [InlineData(60)]
    [InlineData(132)]
    public void No_line_is_wider_than_the_terminal(int width)
    {
        Tools.Require("script");
        foreach (string command in (string[])["", "commit", "initrd patch", "image create", "diff"])
        {
            string help = world.Shell($"script -qec 'stty cols {width}; $H help {command}' /dev/null").Succeeded();
            Assert.All(help.Split('\n'), line => Assert.InRange(line.TrimEnd('\r').Length, 0, width));
        }
    }

    [Fact]
    public void An_example_that_was_broken_still_works_as_typed()
    {
        string help = world.Run("help", "commit").Succeeded();
        string example = help.Split("Examples:\n")[1].Split("\n  ")[0];
        Assert.Contains(" \\\n", help[help.IndexOf("Examples:\n", StringComparison.Ordinal)..]);
        ToolResult result = world.Shell($"$H init -q objects > /dev/null; mv tree rootfs; hacktree() {{ \"$H\" \"$@\"; }}\n{example}\n      ./rootfs");
        Assert.Equal(0, result.ExitCode);
    }

    [Fact]
    public void The_fields_of_json_are_in_the_program() => Assert.Equal(Repository.Read("cli/JSON.md"), world.Run("help", "json").Succeeded());

    [Theory]
    [InlineData("--json", "version")]
    [InlineData("-q", "--json", "version")]
    [InlineData("--store", "x", "--json", "version")]
    [InlineData("--json", "--quiet", "version")]
    public void Options_may_stand_before_the_command(params string[] arguments) => Assert.StartsWith("{\"version\":", world.Run(arguments).Succeeded());

    [Fact]
    public void A_word_after_two_dashes_is_not_an_option_of_the_command_before() =>
        Assert.StartsWith("[{\"file\":\"tree/etc/passwd\"", world.Run("--json", "hash", "--", "tree/etc/passwd").Succeeded());

    /// <summary>What a foreign word leads to must be a command, and must not be one itself.</summary>
    [Fact]
    public void Foreign_words_lead_to_commands_that_exist()
    {
        string[] commands = [.. Commands([]).Select(command => string.Join(' ', command))];
        string source = Repository.Read("cli/ForeignWords.cs");
        Assert.All(Word().Matches(source), match => Assert.DoesNotContain(match.Groups[1].Value, commands));
        MatchCollection uses = Command().Matches(source);
        Assert.NotEmpty(uses);
        Assert.All(uses, match => Assert.Contains(match.Groups[1].Value.Split(" -")[0].Replace(" REF DIR", ""), commands));
    }

    private IEnumerable<string[]> Commands(string[] group)
    {
        string help = world.Run([.. group, "--help"]).Succeeded();
        foreach (Match match in Row().Matches(group.Length == 0 ? help.Split("Options:")[0] : Part(help)))
        {
            string[] command = [.. group, match.Groups[1].Value];
            yield return command;
            foreach (string[] below in group.Length == 0 ? Commands(command) : [])
            {
                yield return below;
            }
        }
    }

    private static string Part(string help) => help.Contains("\nCommands:\n") ? help.Split("\nCommands:\n")[1].Split("\n\n")[0] + "\n" : "";

    [GeneratedRegex("^  ([a-z][a-z-]*) ", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("""^        \["([a-z -]+)"\]""", RegexOptions.Multiline)]
    private static partial Regex Word();

    [GeneratedRegex("""(?:Use\("|`hacktree )([^"`{]+)["`]""")]
    private static partial Regex Command();
}
