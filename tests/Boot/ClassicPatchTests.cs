using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Applies the patches of the classic chain to Debian's own sources. <see cref="ClassicBootTests"/> boots the result.</summary>
public sealed class ClassicPatchTests
{
    [Fact]
    public void They_apply_without_fuzz_to_sources_that_then_build()
    {
        string log = File.ReadAllText(ClassicBuild.At("build.log"));
        Assert.Contains("patching file sys-utils/switch_root.c", log, StringComparison.Ordinal);
        Assert.Contains("patching file init\n", log, StringComparison.Ordinal);
        Assert.DoesNotContain("fuzz", log, StringComparison.Ordinal);
        Assert.DoesNotContain("warning: ", log, StringComparison.Ordinal);
        Tools.Run("sh", "-n", ClassicBuild.Init).Succeeded();
        Assert.Contains("--subroot", Tools.Run(ClassicBuild.SwitchRoot, "--help").Succeeded(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("util-linux/sys-utils/switch_root.8.adoc", "*--subroot* _name_::")]
    [InlineData("initramfs-tools/initramfs-tools.7", @"\fB\fI subroot=")]
    public void The_manual_pages_say_it(string page, string entry) =>
        Assert.Contains(entry, File.ReadAllText(ClassicBuild.At(page)), StringComparison.Ordinal);

    [Theory]
    [InlineData("r7", "cannot find subroot r7 in ")]
    [InlineData("../etc", "subroot ../etc is not below ")]
    [InlineData(".", "subroot . is not below ")]
    [InlineData("out", "subroot out is not below ")]
    [InlineData("file", "subroot file in ")]
    [InlineData("", "bad usage")]
    public void Switch_root_refuses_what_is_no_directory_of_the_new_root(string name, string message)
    {
        using var directory = new TempDirectory();
        Directory.CreateDirectory(directory.At("new"));
        File.WriteAllText(directory.At("new/file"), "");
        Directory.CreateDirectory(directory.At("etc"));
        File.CreateSymbolicLink(directory.At("new/out"), directory.At("etc"));

        ToolResult result = Tools.Run(ClassicBuild.SwitchRoot, $"--subroot={name}", directory.At("new"), "/sbin/init");
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"switch_root: {message}", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_network_one_sentence_says_so()
    {
        _ = ClassicBuild.Init;
        using var directory = new TempDirectory();
        var nowhere = new Dictionary<string, string> { ["http_proxy"] = "http://127.0.0.1:9" };
        ToolResult result = Tools.Run(ClassicBuild.Script, [directory.At("out")], nowhere);
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("cannot get the sources of ", Assert.Single(result.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.False(File.Exists(directory.At("out/init")));
    }
}
