using HackTree.Boot;

namespace HackTree.Tests.Boot;

public sealed class BootFilesTests
{
    [Fact]
    public void The_program_carries_bind_ro_as_an_ELF_file() =>
        Assert.Equal([0x7f, (byte)'E', (byte)'L', (byte)'F'], BootFiles.Read("native/bind-ro")[..4]);
}
