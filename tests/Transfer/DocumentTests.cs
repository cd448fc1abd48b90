using System.Text.RegularExpressions;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Transfer;

/// <summary>The commands of docs/other-machines.md, with a registry and a web server of this machine in the place of those that it names.</summary>
public sealed partial class DocumentTests : IDisposable
{
    private readonly TransferWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_commands_of_other_machines()
    {
        Tools.Require("ssh-keygen");
        using Server registry = Server.Registry(world);
        using Server web = Server.Web(world);
        string document = Repository.Read("docs/other-machines.md")
            .Replace("oci://registry.example.com/", $"oci://127.0.0.1:{registry.Port}/", StringComparison.Ordinal)
            .Replace("https://www.example.com/", $"http://127.0.0.1:{web.Port}/", StringComparison.Ordinal)
            .Replace("/srv/www/", $"{world.Path}/", StringComparison.Ordinal);
        string[] blocks = [.. Shell().Matches(document).Select(match => match.Groups[1].Value)];
        Assert.Equal(2, blocks.Length);
        world.Shell($$"""
            set -e
            ssh-keygen -q -t ed25519 -N '' -f release
            echo "release@example.com namespaces=\"hacktree\" $(cat release.pub)" > trusted
            hacktree() { "$H" "$@"; }
            {{blocks[0]}}
            """).Succeeded();
        world.Init("other");
        world.Shell($$"""
            set -e
            hacktree() {
                case $1 in pull|verify) "$H" --store other "$@" --keys trusted;; *) "$H" --store other "$@";; esac
            }
            {{blocks[1]}}
            """).Succeeded();
        Assert.Equal(
            world.Shell("$H export debian/bookworm --tar - | sha256sum").Succeeded(),
            world.Shell("$H --store other export debian/bookworm --tar - | sha256sum").Succeeded());
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Shell();
}
