using HackTree.Checkout;
using HackTree.Store;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Checkout;

/// <summary>Commits without what belongs to one machine.</summary>
public sealed class SealTests : IDisposable
{
    private static readonly string[] Kept =
    [
        "etc/ssh/sshd_config", "etc/machine-id.txt", "var/lib/dhcp/README", "var/lib/systemd/timers/stamp", "usr/share/var/log/sample.gz", "root/.bashrc",
    ];

    private static readonly string[] Left =
    [
        "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_rsa_key.pub", "var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "var/lib/dhcp/dhclient.eth0.leases",
        "var/lib/cloud/instances/i-1/user-data.txt", "var/log/apt/history.log.1.gz", "var/log/syslog.1", "var/log/journal/b08dfa/system.journal", "root/.bash_history",
    ];

    private static readonly string[] Emptied = ["etc/machine-id", "var/log/dpkg.log", "var/log/nginx/access.log"];

    private readonly TempDirectory directory = new();

    public SealTests()
    {
        Hacktree.Require();
        foreach (string path in Kept.Concat(Left).Concat(Emptied))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(directory.At($"tree/{path}"))!);
            directory.Write($"tree/{path}", [1, 2, 3]);
        }

        Tools.Run("chmod", "400", directory.At("tree/var/log/nginx/access.log")).Succeeded();
        Hacktree.Run("init", "--store", directory.At("store")).Succeeded();
    }

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sealed_commit_has_nothing_of_one_machine(bool isArchive)
    {
        Tools.Run("tar", "-C", directory.At("tree"), "-cf", directory.At("tree.tar"), ".").Succeeded();
        string[] source = isArchive ? ["--tar", directory.At("tree.tar")] : [directory.At("tree")];
        Run(["commit", "-b", "plain", .. source]).Succeeded();
        Run(["commit", "-b", "sealed", "--seal", .. source]).Succeeded();
        Assert.Contains(Traces("plain"), some => some is { Name: "ssh host keys", Files: 2, First: "/etc/ssh/ssh_host_ed25519_key" });
        Assert.Empty(Traces("sealed"));
        Run(["checkout", "sealed", directory.At("root")]).Succeeded();
        Assert.All(Kept, path => Assert.Equal(3, new FileInfo(directory.At($"root/{path}")).Length));
        Assert.All(Left, path => Assert.False(File.Exists(directory.At($"root/{path}")), path));
        Assert.All(Emptied, path => Assert.Equal(0, new FileInfo(directory.At($"root/{path}")).Length));
        Assert.Equal("400\n", Tools.Run("stat", "-c", "%a", directory.At("root/var/log/nginx/access.log")).Succeeded());

        // The tree stays as it is, and a second commit of it, with the stat cache filled, has its content.
        Assert.Equal(3, new FileInfo(directory.At("tree/etc/machine-id")).Length);
        Run(["commit", "-b", "again", .. source]).Succeeded();
        Assert.Equal(Run(["show", "--json", "plain"]).Succeeded().Split("\"tree\"")[1][..70], Run(["show", "--json", "again"]).Succeeded().Split("\"tree\"")[1][..70]);
        Run(["fsck", "-q"]).Succeeded();
    }

    [Fact]
    public void A_consumed_tree_is_not_sealed()
    {
        ToolResult result = Run(["commit", "-b", "x", "--seal", "--consume", directory.At("tree")]);
        Assert.Equal(2, result.ExitCode);
        Assert.True(Directory.Exists(directory.At("tree")));
    }

    [Fact]
    public void The_README_has_each_pattern_of_each_rule()
    {
        string[] rows = File.ReadAllLines(Path.Combine(Repository.Root, "README.md"));
        static string Cell(IEnumerable<string> patterns) => string.Concat(string.Join(", ", patterns.Select(pattern => $"`{pattern}`")).Append(' ')).TrimStart(' ');
        Assert.All(MachineTraces.Rules, rule => Assert.Contains($"| {rule.Name} | {Cell(rule.Left)}| {Cell(rule.Emptied)}|", rows));
    }

    private ToolResult Run(string[] arguments) => Hacktree.Run(["--store", directory.At("store"), .. arguments]);

    private IReadOnlyList<FoundTraces> Traces(string revision)
    {
        using ObjectStore store = ObjectStore.Open(directory.At("store"));
        return MachineTraces.Find(store.Packs, store.Packs.ReadCommit(Revision.Resolve(store, revision)).Tree);
    }
}
