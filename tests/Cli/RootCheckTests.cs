using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>`roots check`: what was changed in a root, and what of it went through to the store.</summary>
public sealed class RootCheckTests : IDisposable
{
    private readonly CliWorld world = new();

    public RootCheckTests()
    {
        world.Commit("a");
        world.Run("checkout", "-q", "a", "r1").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void An_untouched_root_is_as_it_was_made()
    {
        Assert.Equal((0, ""), Check("r1"));
        world.Shell("cat r1/etc/passwd > /dev/null; ls -R r1 > /dev/null").Succeeded();
        Assert.Equal((0, ""), Check("r1"));
        Assert.Contains("r1: 14 names, nothing was changed", world.Run("roots", "check", "r1").Error);
    }

    [Fact]
    public void Other_roots_that_share_the_files_change_nothing()
    {
        world.Shell("$H checkout -q a r2; $H checkout -q --boot a r3; $H checkout -q --copy a r4; $H roots rm r2").Succeeded();
        Assert.Equal((0, ""), Check());
        Assert.Equal((0, ""), Check("r1", "r3", "r4"));
    }

    [Fact]
    public void Roots_with_one_last_name_are_checked_by_their_paths()
    {
        world.Shell("mkdir sub; $H checkout -q a sub/r1").Succeeded();
        Assert.Equal((0, ""), Check());
        world.Shell("echo new > sub/r1/new").Succeeded();
        Assert.Equal((3, $"A {world.At("sub/r1")}/new\n"), Check());
        string recorded = world.Shell("$H roots --json | grep -o 'r1-[0-9a-f]*' | head -n 1").Succeeded().Trim();
        Assert.Equal((3, $"A {world.At("sub/r1")}/new\n"), Check(recorded));
    }

    [Fact]
    public void A_write_through_a_hardlink_is_damage_to_the_store()
    {
        // As dpkg does with its log.
        world.Shell("echo x >> r1/etc/passwd").Succeeded();
        (int code, string output) = Check("r1");
        Assert.Equal(3, code);
        Assert.Matches($"^M {world.At("r1")}/etc/passwd: content, size, time; it is the store's object [0-9a-f/]+\\.0600\\.[0-9.]+\n$", output);
        string note = world.Run("roots", "check", "r1").Error;
        Assert.Contains("1 file was written to through hardlinks, so objects of the store are damaged; `hacktree fsck` tells", note);
        Assert.Equal(3, world.Run("fsck").ExitCode);
    }

    [Fact]
    public void It_is_found_though_size_and_time_were_put_back()
    {
        world.Shell("printf 'ROOT' | dd of=r1/etc/passwd conv=notrunc status=none; touch -d '2024-05-06 07:08:09Z' r1/etc/passwd").Succeeded();
        (int code, string output) = Check("r1");
        Assert.Equal(3, code);
        Assert.StartsWith($"M {world.At("r1")}/etc/passwd: content; it is the store's object ", output);

        // A later checkout gives the inode a new change time, which must not hide the write.
        world.Run("checkout", "-q", "a", "r2").Succeeded();
        Assert.Equal((code, output), Check("r1"));
    }

    [Fact]
    public void A_replaced_file_is_not_damage_to_the_store()
    {
        world.Shell("cp -p r1/etc/passwd new; printf 'ROOT' | dd of=new conv=notrunc status=none; touch -d '2024-05-06 07:08:09Z' new; mv new r1/etc/passwd").Succeeded();
        Assert.Equal((3, $"M {world.At("r1")}/etc/passwd: content\n"), Check("r1"));
        Assert.Equal(0, world.Run("fsck").ExitCode);
    }

    [Fact]
    public void Names_that_came_and_went_and_metadata_are_found()
    {
        world.Shell("""
            echo new > r1/etc/new; mkdir r1/opt; touch r1/opt/below; rm r1/usr/share/empty; chmod 700 r1/usr/bin; ln -sfn elsewhere r1/usr/bin/hello
            rm r1/usr/share/pipe; mkdir r1/usr/share/pipe; mv r1/usr/share/doc r1/usr/share/docs
            """).Succeeded();
        string top = world.At("r1");
        Assert.Equal(
            (3, $"A {top}/etc/new\nA {top}/opt\nM {top}/usr/bin: mode\nM {top}/usr/bin/hello: target\nD {top}/usr/share/doc\nA {top}/usr/share/docs\n"
                + $"D {top}/usr/share/empty\nT {top}/usr/share/pipe\n"),
            Check("r1"));
    }

    [Fact]
    public void Modes_and_attributes_of_a_file_are_those_of_its_object()
    {
        world.Shell("chmod 640 r1/etc/passwd; setfattr -n user.k -v 1 r1/usr/bin/hi").Succeeded();
        (int code, string output) = Check("r1");
        Assert.Equal(3, code);
        Assert.Matches("^M .*/etc/passwd: mode; it is the store's object .*\nM .*/usr/bin/hi: attributes; it is the store's object .*\n$", output);
    }

    [Fact]
    public void An_owner_is_compared()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can change owners");
        world.Shell("chown 12:34 r1/usr; chown -h 12:34 r1/usr/bin/hello").Succeeded();
        Assert.Equal((3, $"M {world.At("r1")}/usr: owner\nM {world.At("r1")}/usr/bin/hello: owner\n"), Check("r1"));
    }

    [Fact]
    public void The_etc_of_a_root_to_boot_is_its_own()
    {
        world.Shell("$H checkout -q --boot a r2; echo mine > r2/etc/passwd; echo new > r2/etc/new").Succeeded();
        Assert.Equal((0, ""), Check("r2"));
        world.Shell("echo more > r2/proc/new; echo x > r2/new").Succeeded();
        Assert.Equal((3, $"A {world.At("r2")}/new\n"), Check("r2"));
    }

    [Fact]
    public void What_is_mounted_in_a_root_is_left_out()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        Assert.Equal("", world.Shell("unshare --mount bash -c 'mount -t tmpfs none r1/usr/share && mount --bind r1/etc/os-release r1/etc/passwd && $H -q roots check r1'").Succeeded());
    }

    [Fact]
    public void A_root_that_is_not_there_is_said_so_and_the_others_are_checked()
    {
        world.Shell("$H checkout -q a r2; rm -r r2; echo new > r1/new").Succeeded();
        Assert.Equal((3, $"A {world.At("r1")}/new\n"), Check());
        ToolResult result = world.Run("-q", "roots", "check", "r2", "r1");
        Assert.Equal((1, $"A {world.At("r1")}/new\n"), (result.ExitCode, result.Output));
        Assert.Contains("r2: it is recorded, but not there", result.Error);
        Assert.Contains("nothing: there is no root of that name", world.Run("roots", "check", "nothing").Error);
    }

    private (int Code, string Output) Check(params string[] roots)
    {
        ToolResult result = world.Run(["-q", "roots", "check", .. roots]);
        Assert.Empty(result.Error);
        return (result.ExitCode, result.Output);
    }
}
