namespace HackTree.Tests.Boot;

[Collection(BootCollection.Name)]
public sealed class QemuTests
{
    [Theory]
    [InlineData("root=/dev/nowhere rootwait", false)]
    [InlineData("root=/dev/nowhere panic=-1", true)]
    public void A_machine_that_stands_still_before_its_first_program_is_told_from_one_that_ends(string commandLine, bool ends)
    {
        Qemu.Require();
        string[] arguments = ["-kernel", BootRoot.Kernel, "-append", $"console=ttyS0 no_timer_check {commandLine}"];
        TimeSpan silence = ends ? Qemu.LongestSilence : TimeSpan.FromSeconds(15);
        Assert.Equal(ends, Qemu.TryRun("still", silence, arguments, out BootResult result));
        Assert.Contains("] Linux version ", result.Log, StringComparison.Ordinal);
    }
}
