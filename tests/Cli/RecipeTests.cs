using System.Text.RegularExpressions;
using HackTree.Linux;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Cli;

/// <summary>What README tells people to type works as typed, and what it names is there.</summary>
public sealed partial class RecipeTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_mount()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        world.Commit("debian/bookworm");
        string recipe = Shell().Match(Repository.Read("README.md").Split("## Mounting a commit")[1]).Groups[1].Value;
        string[] lines = world.Shell($$"""
            set -e
            hacktree() { "$H" "$@"; }
            {{recipe}}
            """).Succeeded().Split('\n');
        Assert.Equal(["etc", "usr"], lines[..2]);
        Assert.Matches("^[0-9a-f]{64}$", lines[2]);
        string[] roots = world.Shell("""
            set -e
            $H mount -q debian/bookworm look; $H roots; $H roots --json; $H umount look; $H roots
            """).Succeeded().Split('\n', 2);
        Assert.Matches("^mounted, read-only  .*look ", roots[0]);
        Assert.Matches("""^\[[^{]*{"name":null,"state":"mounted","path":"[^"]*look","commit":"[0-9a-f]*","method":"image","readOnly":true}[^{]*\]\s*$""", roots[1]);
    }

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

    [Theory]
    [InlineData("golden-images", "hacktree ls golden /etc | grep -q passwd")]
    [InlineData("build-in-ci", "hacktree cat app /etc/motd | grep -qx hello; [ $(hacktree log app | wc -l) = 3 ]")]
    [InlineData("from-ostree", "hacktree cat debian /usr/bin/hi | grep -q hi; [ $(hacktree log debian | wc -l) = 2 ]; [ $(hacktree show --meta ostree.commit debian) = $(ostree --repo=repo rev-parse debian) ]")]
    public void The_commands_of_a_document(string document, string check)
    {
        Assert.SkipUnless(Sys.IsRoot, "builds need root");
        string prepare = "";
        if (document == "build-in-ci")
        {
            // What a step needs: a shell, and the programs that the recipe names.
            prepare = "mkdir tree/bin; cp /bin/sh /bin/rm tree/bin; cp --parents $(ldd /bin/sh /bin/rm | grep -o '/lib[^ ]*') tree;";
        }
        else if (document == "from-ostree")
        {
            Tools.Require("ostree");
            world.Shell("set -e; rm tree/usr/share/pipe tree/usr/share/bad*; ostree init --repo=repo --mode=bare; ostree --repo=repo commit -b debian tree; ostree --repo=repo commit -b debian tree; rm -r tree").Succeeded();
        }

        string commands = Shell().Match(Repository.Read($"docs/{document}.md")).Groups[1].Value;
        world.Shell($"set -e; {prepare} hacktree() {{ \"$H\" \"$@\"; }}\n{commands}\n{check}").Succeeded();
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
    public void Links_lead_to_files_of_the_repository()
    {
        foreach (string document in Documents())
        {
            string folder = Path.Combine(Repository.Root, Path.GetDirectoryName(document)!);
            Assert.All(Link().Matches(Repository.Read(document)), link => Assert.True(Path.Exists(Path.Combine(folder, link.Groups[1].Value)), $"{document}: {link.Value}"));
        }
    }

    [Fact]
    public void Every_command_that_is_named_is_one()
    {
        string[] commands = [.. Documents().SelectMany(document => Named().Matches(Repository.Read(document))).Select(match => match.Groups[1].Value).Distinct()];
        Assert.Contains("checkout", commands);
        Assert.All(commands, command => Assert.Equal(0, world.Run("help", command).ExitCode));
    }

    private static IEnumerable<string> Documents() => Repository.Files("docs", ".md").Prepend("README.md");

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Shell();

    [GeneratedRegex("```\n(hacktree init .*?)```", RegexOptions.Singleline)]
    private static partial Regex Plain();

    [GeneratedRegex("   +")]
    private static partial Regex DoubleSpace();

    [GeneratedRegex(@"\]\(([^)#]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"hacktree ([a-z][a-z-]*)\b(?!\.)")]
    private static partial Regex Named();
}
