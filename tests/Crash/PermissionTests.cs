using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>What an ordinary user may not do is refused in one sentence. As root, these run the program as nobody.</summary>
public sealed class PermissionTests : IDisposable
{
    private readonly TempDirectory directory = new();
    private readonly string program;

    public PermissionTests()
    {
        Hacktree.Require();
        program = directory.At("hacktree");
        File.Copy(Hacktree.Path, program);
        Tools.Run("chmod", "755", program).Succeeded();
        Assert.Equal(Errno.None, Sys.SetMode(directory.Handle, 0x3FF));
        AsUser(program, "--store", directory.At("objects"), "init", "--user").Succeeded();
        AsUser("sh", "-c", $"mkdir {directory.At("source")} && echo content > {directory.At("source/file")}").Succeeded();
    }

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_file_without_permission_to_read_is_named()
    {
        AsUser("sh", "-c", $"echo secret > {directory.At("source/closed")}; chmod 000 {directory.At("source/closed")}").Succeeded();
        string line = Hacktree.Refused(Run("commit", "-b", "main", directory.At("source")));
        Assert.Contains($"{directory.At("source/closed")}: permission denied", line, StringComparison.Ordinal);
        Assert.False(File.Exists(directory.At("objects/refs/main")));
        Assert.Empty(Directory.GetFileSystemEntries(directory.At("objects/tmp")));
        Run("fsck").Succeeded();
    }

    [Fact]
    public void A_directory_without_permission_to_read_is_named()
    {
        AsUser("sh", "-c", $"mkdir -p {directory.At("source/closed/below")}; chmod 000 {directory.At("source/closed")}").Succeeded();
        string line = Hacktree.Refused(Run("commit", "-b", "main", directory.At("source")));
        Assert.Contains($"{directory.At("source/closed")}: permission denied", line, StringComparison.Ordinal);
        AsUser("chmod", "700", directory.At("source/closed")).Succeeded();
        Run("commit", "-b", "main", directory.At("source")).Succeeded();
    }

    [Fact]
    public void A_destination_without_permission_to_write_is_named_and_nothing_is_left()
    {
        Run("commit", "-b", "main", directory.At("source")).Succeeded();
        AsUser("sh", "-c", $"mkdir {directory.At("closed")}; chmod 555 {directory.At("closed")}").Succeeded();
        string line = Hacktree.Refused(Run("checkout", "main", directory.At("closed/r1")));
        Assert.Contains("permission denied", line, StringComparison.Ordinal);
        Assert.Contains(directory.At("closed/"), line, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(directory.At("objects/roots")));
        Run("gc").Succeeded();
    }

    [Fact]
    public void A_store_of_somebody_else_can_be_read_at_most()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make another user's store");
        var store = new PhysicalRoot(Directory.CreateDirectory(directory.At("of-root")).FullName);
        store.Ok("commit", "-b", "main", directory.At("source"));
        string[] given = ["--store", store.Store];
        foreach (string[] command in new[]
        {
            ["commit", "-b", "x", directory.At("source")], ["gc"], ["refs", "set", "x", "main"], ["refs", "delete", "main"], new[] { "checkout", "main", directory.At("r1") },
        })
        {
            Hacktree.Refused(AsUser(program, [.. given, .. command]));
        }

        AsUser(program, [.. given, "ls", "main"]).Succeeded();
        Assert.False(Directory.Exists(directory.At("r1")));
        store.AssertCleanAfterGc();
    }

    /// <summary>Files of root in there could be neither read nor removed by the user.</summary>
    [Fact]
    public void Root_reads_a_users_store_and_writes_nothing_in_it()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root is not the user");
        Run("commit", "-b", "main", directory.At("source")).Succeeded();
        foreach (string[] command in new[] { ["commit", "-b", "x", directory.At("source")], ["gc"], new[] { "refs", "set", "x", "main" } })
        {
            string line = Hacktree.Refused(Tools.Run(program, ["--store", directory.At("objects"), .. command]));
            Assert.Contains($"{directory.At("objects")}: this store belongs to user 65534", line, StringComparison.Ordinal);
        }

        Tools.Run(program, "--store", directory.At("objects"), "diff", "main", directory.At("source")).Succeeded();
        Assert.Contains("belongs to user 65534", Hacktree.Refused(Tools.Run(program, "--store", AsUserMade("theirs"), "init", "--user")));
        Tools.Run(program, "--store", directory.At("root"), "init").Succeeded();
        Tools.Run(program, "--store", directory.At("root"), "pull", $"{directory.At("objects")}:main").Succeeded();
        Assert.Equal("", Tools.Run("find", directory.At("objects"), "!", "-uid", "65534").Succeeded());
    }

    [Fact]
    public void A_device_that_a_user_cannot_make_stops_no_checkout()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root makes devices");
        Run("commit", "-b", "before", directory.At("source")).Succeeded();
        Tools.Run("sh", "-c", $"cd {directory.At("source")} && mknod -m 666 b-device c 1 3 && touch c && chown 65534:65534 .").Succeeded();
        Run("commit", "-b", "main", directory.At("source")).Succeeded();
        AsUser("mkdir", directory.At("over")).Succeeded();
        Assert.Contains("1 device", Run("checkout", "--union", "main", directory.At("over")).Error);
        Assert.Contains("1 device", Run("checkout", "main", directory.At("r1")).Error);
        Run("checkout", "before", directory.At("r2")).Succeeded();
        Run("checkout", "--from", directory.At("r2"), "main", directory.At("r2")).Succeeded();
        foreach (string made in new[] { "over", "r1", "r2" })
        {
            Assert.False(File.Exists(directory.At($"{made}/b-device")));
            Assert.True(File.Exists(directory.At($"{made}/c")));
        }
    }

    [Fact]
    public void A_store_that_may_not_be_written_to_is_one_sentence()
    {
        Run("commit", "-b", "main", directory.At("source")).Succeeded();
        AsUser("find", directory.At("objects"), "-type", "d", "-exec", "chmod", "a-w", "{}", "+").Succeeded();
        AsUser("sh", "-c", $"echo more > {directory.At("source/more")}").Succeeded();
        Hacktree.Refused(Run("commit", "-b", "main", directory.At("source")));
        Hacktree.Refused(Run("checkout", "main", directory.At("r1")));
        Hacktree.Refused(Run("refs", "delete", "main"));
        Run("ls", "main").Succeeded();
        Run("fsck").Succeeded();
        AsUser("find", directory.At("objects"), "-type", "d", "-exec", "chmod", "u+w", "{}", "+").Succeeded();
    }

    private string AsUserMade(string name)
    {
        AsUser("mkdir", directory.At(name)).Succeeded();
        return directory.At(name);
    }

    private ToolResult Run(params IEnumerable<string> arguments) => AsUser(program, ["--store", directory.At("objects"), .. arguments]);

    private static ToolResult AsUser(string tool, params IEnumerable<string> arguments) =>
        Sys.IsRoot ? Tools.Run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", tool, .. arguments]) : Tools.Run(tool, arguments);
}
