using System.Diagnostics;
using System.Text.Json;
using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>checkout --readonly: nobody writes into the root by its path, `roots` tells, and `roots rm` ends the mount.</summary>
public sealed class ReadOnlyMountTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public ReadOnlyMountTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        Directory.CreateDirectory(root.At("source/usr"));
        File.WriteAllText(root.At("source/usr/file"), "a file of some length");
        root.Ok("commit", "-b", "a", root.At("source"));
        root.Ok("checkout", "--readonly", "a", Look);
    }

    private string Look => root.At("look");

    public void Dispose()
    {
        _ = Tools.Run("umount", Look);
        root.Dispose();
    }

    [Fact]
    public void Nobody_writes_into_it_and_roots_rm_ends_it()
    {
        Assert.Contains("Read-only file system", Tools.Run("sh", "-c", $"echo more >> {Look}/usr/file").Error, StringComparison.Ordinal);
        Assert.Contains("Read-only file system", Tools.Run("touch", $"{Look}/new").Error, StringComparison.Ordinal);
        Assert.Contains("ready, read-only", root.Ok("roots"), StringComparison.Ordinal);
        Assert.True(IsReadOnly());
        Assert.Equal("", root.Ok("roots", "check", "look"));
        root.Ok("gc");
        root.Ok("roots", "rm", "look");
        Assert.False(Directory.Exists(Look) || IsMounted());
        Assert.Equal("[]", root.Ok("roots", "--json"));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void What_is_used_stays_and_stays_read_only()
    {
        using Process process = Process.Start(new ProcessStartInfo("sleep", "600") { WorkingDirectory = $"{Look}/usr" })!;
        try
        {
            Assert.Contains($"works in {Look}/usr", root.Refused("roots", "rm", "look"), StringComparison.Ordinal);
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }

        Assert.True(IsReadOnly());
        Assert.Contains("unmount", root.Refused("checkout", "--force", "a", Look), StringComparison.Ordinal);
        Assert.Contains("unmount", root.Refused("checkout", "--from", Look, "a", root.At("r1")), StringComparison.Ordinal);
        Tools.Run("umount", Look).Succeeded();
        Assert.False(IsReadOnly());
        root.Ok("checkout", "--readonly", "--from", Look, "a", root.At("r1"));
        root.Ok("roots", "rm", "r1");
    }

    [Fact]
    public void A_damaged_file_in_it_is_mended_once_the_mount_is_gone()
    {
        root.Ok("checkout", "a", root.At("r1"));
        File.AppendAllText(root.At("r1/usr/file"), " and more");
        ToolResult mount = root.Run("fsck", "--repair", "--from", root.At("source"));
        Assert.Equal(3, mount.ExitCode);
        Assert.Contains($"{Look}/usr/file: it is damaged, and a mount hides it; unmount", mount.Output, StringComparison.Ordinal);
        Assert.Equal("a file of some length", File.ReadAllText(root.At("r1/usr/file")));
        Tools.Run("umount", Look).Succeeded();
        root.Ok("fsck", "--repair");
        Assert.Equal("a file of some length", File.ReadAllText($"{Look}/usr/file"));
    }

    [Fact]
    public void A_mount_in_it_is_no_reason_to_end_its_own()
    {
        Tools.Run("mount", "-t", "tmpfs", "none", $"{Look}/usr").Succeeded();
        try
        {
            Assert.Contains($"{Look}/usr is mounted there", root.Refused("roots", "rm", "look"), StringComparison.Ordinal);
            Assert.True(IsReadOnly());
        }
        finally
        {
            Tools.Run("umount", $"{Look}/usr").Succeeded();
        }
    }

    private bool IsReadOnly() =>
        JsonDocument.Parse(root.Ok("roots", "--json")).RootElement.EnumerateArray().First(item => item.GetProperty("path").GetString() == Look)
            .GetProperty("readOnly").GetBoolean();

    private bool IsMounted() => File.ReadAllText("/proc/self/mountinfo").Contains($" {Look} ", StringComparison.Ordinal);
}
