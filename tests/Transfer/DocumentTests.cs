using System.Text.RegularExpressions;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Transfer;

/// <summary>The commands of docs/other-machines.md and docs/containers.md, with a registry and a web server of this machine in the place of those that it names.</summary>
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
        using Server ssh = Server.Ssh(world);
        world.Init("far");
        string document = SshHost().Replace(Repository.Read("docs/other-machines.md"), $"ssh://127.0.0.1:{ssh.Port}{world.Path}/far")
            .Replace("/media/disk/objects", world.At("far"), StringComparison.Ordinal)
            .Replace("oci://registry.example.com/", $"oci://127.0.0.1:{registry.Port}/", StringComparison.Ordinal)
            .Replace("https://www.example.com/", $"http://127.0.0.1:{web.Port}/", StringComparison.Ordinal)
            .Replace("/srv/www/", $"{world.Path}/", StringComparison.Ordinal);
        string[] blocks = [.. Shell().Matches(document).Select(match => match.Groups[1].Value)];
        Assert.Equal(6, blocks.Length);
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
        AssertSame();
        world.Shell($$"""
            set -e
            echo new > tree/srv/new
            $H commit -q -b debian/bookworm --sign release tree
            hacktree() { "$H" "$@"; }
            {{blocks[2]}}
            $H --store far show debian/bookworm > far-show; $H show debian/bookworm | cmp - far-show
            {{blocks[3]}}
            hacktree() { "$H" --store other "$@" --keys trusted; }
            {{blocks[4]}}
            hacktree() { "$H" "$@"; }
            {{blocks[5]}}
            """).Succeeded();
        AssertSame();
        world.Pull("other", "--as", "mirrored", "--require-signature", "--keys", world.At("trusted"), $"{world.At("mirror")}:debian/bookworm");

        void AssertSame() => Assert.Equal(
            world.Shell("$H export debian/bookworm --tar - | sha256sum").Succeeded(),
            world.Shell("$H --store other export debian/bookworm --tar - | sha256sum").Succeeded());
    }

    [Fact]
    public void The_commands_of_containers()
    {
        Tools.Require("skopeo");
        using Server registry = Server.Registry(world);
        string place = $"127.0.0.1:{registry.Port}";
        string document = Repository.Read("docs/containers.md").Replace("oci://registry.example.com/", $"oci://{place}/", StringComparison.Ordinal);
        string[] blocks = [.. Shell().Matches(document).Select(match => match.Groups[1].Value)];
        Assert.Equal(4, blocks.Length);

        // An image as podman would have built it.
        world.Shell($$"""
            set -e
            mkdir -p overlay/etc; echo here > overlay/etc/hostname
            $H commit -q -b built tree --meta 'oci.config.Env=["A=b"]'
            $H export built --oci built
            skopeo copy -q --insecure-policy --dest-tls-verify=false oci:built:latest docker://{{place}}/machines/web:1
            hacktree() { "$H" "$@"; }
            {{string.Join('\n', blocks)}}
            skopeo inspect --tls-verify=false docker://{{place}}/machines/web:here > here
            skopeo inspect --tls-verify=false --config docker://{{place}}/machines/web:run | tr -d ' \n' | grep -q '"Cmd":\["/sbin/init"\]'
            """).Succeeded();
        Assert.Equal("here\n", world.Run("cat", "web-here", "etc/hostname").Succeeded());
        Assert.Contains("oci.config.Env=[\"A=b\"]", world.Run("show", "web").Succeeded());
        Assert.Equal(
            world.Shell("$H export built --tar - | sha256sum").Succeeded(),
            world.Shell("$H export web --tar - | sha256sum").Succeeded());
    }

    [GeneratedRegex("ssh://root@[a-z0-9.]+/objects")]
    private static partial Regex SshHost();

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Shell();
}
