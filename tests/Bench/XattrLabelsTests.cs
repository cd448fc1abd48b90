using HackTree.Bench.Compare;
using HackTree.Tests.Support;

namespace HackTree.Tests.Bench;

/// <summary>The tree with attributes differs from its source in attributes alone.</summary>
public sealed class XattrLabelsTests : IDisposable
{
    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Every_file_and_directory_gets_a_label_and_an_ACL_and_keeps_its_mode()
    {
        Shell("mkdir -p d/e; echo 1 > f; echo 2 > d/.g; chmod 640 f; chmod 4711 d/.g; ln -s f link; mkfifo pipe");
        string before = Shell("find . -printf '%p %M %T@\n' | sort");
        XattrLabels.Set(directory.Path);
        Assert.Equal(before, Shell("find . -printf '%p %M %T@\n' | sort"));
        Assert.Equal(5, Shell("getfattr -h -R -P -n user.label .").Split("user.label=").Length - 1);
        Assert.Equal(5, Shell("getfattr -h -R -P -n system.posix_acl_access .").Split("system.posix_acl_access=").Length - 1);
    }

    private string Shell(string script) => Tools.Run("sh", "-c", $"cd {directory.Path}; {script}").Output;
}
