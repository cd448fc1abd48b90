using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>A shared /home may be mounted in a root that is removed. It must survive.</summary>
public sealed class TreeRemovalMountTests : IDisposable
{
    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("root/home")]
    [InlineData("root")]
    public void What_is_mounted_in_the_tree_is_not_touched(string mountPoint)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        Tools.Require("mount", "umount");
        Directory.CreateDirectory(directory.At("root/home"));
        Directory.CreateDirectory(directory.At("shared/user"));
        directory.Write("shared/user/precious", "x"u8);
        Assert.SkipWhen(Tools.Run("mount", "--bind", directory.At("shared"), directory.At(mountPoint)).ExitCode != 0, "no right to mount here");
        try
        {
            LinuxException e = Assert.Throws<LinuxException>(() => TreeRemoval.Remove(directory.Handle, "root"u8, "root"));
            Assert.Equal(Errno.EBUSY, e.Errno);
            Assert.True(File.Exists(directory.At("shared/user/precious")));
        }
        finally
        {
            Tools.Unmount(directory.At(mountPoint));
        }

        TreeRemoval.Remove(directory.Handle, "root"u8, "root");
        Assert.False(Directory.Exists(directory.At("root")));
    }
}
