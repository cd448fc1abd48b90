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
    public void Diff_shows_lines_of_text_and_names_all_else()
    {
        world.Shell(
            """
            cd r1/etc; for n in 1 2 3 4 5 6 7 8 9; do echo $n; done > new; printf 'NAME="Mine"' > os-release; chmod 644 passwd; mkdir d; printf '\0' > d/bytes; echo x > d/text
            """).Succeeded();
        Assert.Equal(
            """
            A d
            A d/bytes
            --- /dev/null
            +++ b/etc/d/text
            @@ -0,0 +1,1 @@
            +x
            --- /dev/null
            +++ b/etc/new
            @@ -0,0 +1,9 @@
            +1
            +2
            +3
            +4
            +5
            +6
            +7
            +8
            +9
            --- a/etc/os-release
            +++ b/etc/os-release
            @@ -1,1 +1,1 @@
            -NAME="Test"
            +NAME="Mine"
            \ No newline at end of file
            M passwd

            """,
            world.Run("etc", "diff", "r1").Succeeded());
        world.Shell(
            """
            cp -a r1/etc tree/; $H commit -q -b b tree; $H checkout -q --boot b r2; cd r2/etc; sed -i 's/^5/five/' new; rm d/text; cd ../..; $H etc diff r2 > patch
            """).Succeeded();
        Assert.Equal(
            """
            --- a/etc/d/text
            +++ /dev/null
            @@ -1,1 +0,0 @@
            -x
            --- a/etc/new
            +++ b/etc/new
            @@ -2,7 +2,7 @@
             2
             3
             4
            -5
            +five
             6
             7
             8

            """,
            File.ReadAllText(world.At("patch")));
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
