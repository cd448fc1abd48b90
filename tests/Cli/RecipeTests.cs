using System.Text.RegularExpressions;
using HackTree.Linux;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Cli;

/// <summary>What README tells people to type works as typed, and what it names is there.</summary>
public sealed partial class RecipeTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_upgrade()
    {
        Assert.SkipUnless(Sys.IsRoot, "a root to boot is made in root's store");
        world.Commit("debian/bookworm");
        string recipe = Shell().Match(Repository.Read("README.md").Split("## Upgrading")[1]).Groups[1].Value;
        Assert.Contains("apt-get", recipe);

        // In the place of apt stands what it does: it writes into a file, and replaces another.
        world.Shell($$"""
            set -e
            hacktree() { "$H" "$@"; }
            chroot() { echo more >> "$1/etc/passwd"; echo new > "$1/etc/new"; }
            {{recipe}}
            [ "$(cat r2/etc/new)" = new ]
            [ ! -e next ]
            hacktree fsck
            hacktree roots check
            hacktree show debian/bookworm | grep -q upgraded
            """).Succeeded();
        Assert.Equal(2, world.Run("log", "debian/bookworm").Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public void The_first_commands()
    {
        string block = Plain().Match(Repository.Read("README.md")).Groups[1].Value;
        string[] commands = [.. block.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => DoubleSpace().Split(line)[0])];
        Assert.Equal("hacktree init", commands[0]);
        world.Shell($"set -e; rm -r objects; mv tree rootfs; hacktree() {{ \"$H\" \"$@\"; }}; {string.Join("\n", commands)}").Succeeded();
    }

    [Fact]
    public void Links_lead_to_files_of_the_repository() =>
        Assert.All(Link().Matches(Repository.Read("README.md")), link => Assert.True(Path.Exists(Path.Combine(Repository.Root, link.Groups[1].Value)), link.Value));

    [Fact]
    public void Every_command_that_is_named_is_one()
    {
        string[] commands = [.. Named().Matches(Repository.Read("README.md")).Select(match => match.Groups[1].Value).Distinct()];
        Assert.Contains("checkout", commands);
        Assert.All(commands, command => Assert.Equal(0, world.Run("help", command).ExitCode));
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Shell();

    [GeneratedRegex("```\n(hacktree init .*?)```", RegexOptions.Singleline)]
    private static partial Regex Plain();

    [GeneratedRegex("   +")]
    private static partial Regex DoubleSpace();

    [GeneratedRegex(@"\]\(([^)#]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"hacktree ([a-z]+)\b(?!\.)")]
    private static partial Regex Named();
}
