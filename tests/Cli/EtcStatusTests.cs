using System.Text.Json;

namespace HackTree.Tests.Cli;

/// <summary>`etc status`: what was changed in a root's /etc.</summary>
public sealed class EtcStatusTests : IDisposable
{
    private readonly CliWorld world = new();

    public EtcStatusTests()
    {
        world.Commit("a");
        world.Run("checkout", "-q", "--boot", "a", "r1").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void It_lists_changes_but_no_times()
    {
        world.Shell("touch r1/etc/os-release r1/etc").Succeeded();
        Assert.Equal("", world.Run("etc", "status", "r1").Succeeded());
        world.Shell("chmod 644 r1/etc/passwd; rm r1/etc/os-release; mkdir r1/etc/d; : > r1/etc/d/$'odd\\n'").Succeeded();
        Assert.Equal("A d\nA d/odd\\n\nD os-release\nM passwd\n", world.Run("etc", "status", "r1").Succeeded());
        JsonElement status = JsonDocument.Parse(world.Run("etc", "status", world.At("r1"), "--json").Succeeded()).RootElement;
        Assert.Equal((world.At("r1"), 64), (status.GetProperty("root").GetString(), status.GetProperty("commit").GetString()!.Length));
        JsonElement removed = status.GetProperty("changes")[2];
        Assert.Equal(
            ("removed", "os-release", "file"),
            (removed.GetProperty("change").GetString(), removed.GetProperty("path").GetString(), removed.GetProperty("type").GetString()));
    }

    [Fact]
    public void What_is_no_root_is_refused()
    {
        world.Refuses(1, "this system runs on no root of the store; name a root", ["etc", "status"]);
        world.Refuses(2, "say what to do with /etc", ["etc"]);
        world.Shell("rm -r r1/etc").Succeeded();
        world.Refuses(1, "r1/etc: it is no directory", ["etc", "status", "r1"]);
    }
}
