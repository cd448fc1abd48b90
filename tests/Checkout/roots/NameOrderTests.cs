using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

/// <summary>Only where names are journaled may a checkout leave out flushes.</summary>
[Collection(LoopTests.Name)]
public sealed class NameOrderTests
{
    [Theory]
    [InlineData("ext4", 32, true)]
    [InlineData("ext4", 32, false, "-O", "^has_journal")]
    [InlineData("xfs", 300, true)]
    [InlineData("btrfs", 120, false)]
    public void A_filesystem_with_a_journal_of_names_keeps_their_order(string type, int megabytes, bool isKept, params string[] options)
    {
        using var filesystem = new LoopFilesystem(type, megabytes, options);
        Assert.Equal(isKept, IsKept(filesystem.Path));
    }

    [Fact]
    public void One_in_memory_has_no_power_cut_to_fear() => Assert.True(IsKept("/dev/shm"));

    private static bool IsKept(string path)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", path);
        using (directory)
        {
            return NameOrder.IsKept(directory);
        }
    }
}
