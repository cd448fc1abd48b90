using HackTree.Linux;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>Runs functions of the boot script in this machine's sh, for cases that no boot of these tests reaches.</summary>
public sealed class SubrootScriptTests : IDisposable
{
    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void The_last_word_counts_as_for_other_options_of_the_kernel()
    {
        const string script = "cat() { echo 'ro subroot=r1 subroot.rw quiet subroot=r2 subroot.rwx'; }; subroot_argument subroot; subroot_argument subroot.rw; subroot_argument sub || echo none";
        Assert.Equal("r2\n\nnone\n", Run(script).Succeeded());
    }

    [Fact]
    public void Another_root_is_chosen_and_what_is_said_of_it_is_no_part_of_its_name()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can hide /dev/kmsg");
        Tools.Run("sh", "-c", $"cd {directory.At("")} && mkdir -p r0/sbin objects/roots && cp /bin/true r0/sbin/init").Succeeded();
        File.WriteAllText(directory.At("objects/roots/r0.json"), "{\n\"path\": \"r0\",\n\"time\": 5\n}\n");
        string script = $"mount -t tmpfs tmpfs /dev; mkdir /dev/kmsg; subroot_choose {directory.At("")} /sbin/init";
        ToolResult result = Tools.Run("unshare", "--mount", "sh", "-c", $"{Source}; {script}");
        Assert.Equal("r0\n", result.Succeeded());
        Assert.Contains("booting r0 instead", result.Error, StringComparison.Ordinal);
    }

    private static string Source => $". {Path.Combine(Repository.Root, "boot/initramfs/hacktree/subroot.sh")}";

    private static ToolResult Run(string script) => Tools.Run("sh", "-c", $"{Source}; {script}");
}
