using HackTree.Boot;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

public sealed class BootFilesTests
{
    [Theory]
    [InlineData("initramfs/conf/conf.d/hacktree")]
    [InlineData("initramfs/scripts/subroot")]
    [InlineData("initramfs/hacktree/subroot.sh")]
    [InlineData("initramfs/hacktree/image.sh")]
    [InlineData("initramfs/hacktree/trial.sh")]
    [InlineData("dracut/module-setup.sh")]
    [InlineData("dracut/enter.sh")]
    public void The_program_carries_the_scripts_as_they_are_in_the_sources(string path) =>
        Assert.Equal(File.ReadAllBytes(Path.Combine(Repository.Root, "boot", path)), BootFiles.Read(path));

    [Fact]
    public void The_program_carries_bind_ro_as_an_ELF_file() =>
        Assert.Equal([0x7f, (byte)'E', (byte)'L', (byte)'F'], BootFiles.Read("native/bind-ro")[..4]);
}
