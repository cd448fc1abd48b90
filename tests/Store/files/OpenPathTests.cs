using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

public sealed class OpenPathTests : IDisposable
{
    private readonly TempDirectory temp = new();

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("file")]
    [InlineData("link")]
    [InlineData("dangling")]
    [InlineData("far/link")]
    public void A_link_stays_and_what_it_leads_to_is_replaced(string name)
    {
        Directory.CreateDirectory(temp.At("far"));
        temp.Write("file", "old"u8);
        File.CreateSymbolicLink(temp.At("link"), "file");
        File.CreateSymbolicLink(temp.At("dangling"), "far/nothing-yet");
        File.CreateSymbolicLink(temp.At("far/link"), temp.At("link"));
        string? target = new FileInfo(temp.At(name)).LinkTarget;
        using (DurableFile file = OpenPath.ToReplace(temp.At(name), FileModes.PublicFile))
        {
            file.Append("new"u8);
            file.Complete();
        }

        Assert.Equal(target, new FileInfo(temp.At(name)).LinkTarget);
        Assert.Equal("new", File.ReadAllText(temp.At(name)));
        Assert.Equal("new", File.ReadAllText(temp.At(name == "dangling" ? "far/nothing-yet" : "file")));
    }

    [Theory]
    [InlineData("directory")]
    [InlineData("directory/")]
    [InlineData("directory/..")]
    [InlineData("pipe")]
    [InlineData("link")]
    public void What_is_no_file_is_not_replaced(string name)
    {
        Directory.CreateDirectory(temp.At("directory"));
        File.CreateSymbolicLink(temp.At("link"), "directory");
        Tools.Run("mkfifo", temp.At("pipe")).Succeeded();
        Assert.Contains("not a regular file", Assert.Throws<StoreException>(() => OpenPath.ToReplace(temp.At(name), FileModes.PublicFile)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_opened_is_told_by_its_errno()
    {
        File.CreateSymbolicLink(temp.At("circle"), "circle");
        Assert.Equal(Errno.ELOOP, Assert.Throws<LinuxException>(() => OpenPath.ToReplace(temp.At("circle"), FileModes.PublicFile)).Errno);
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => OpenPath.ToReplace(temp.At("none/file"), FileModes.PublicFile)).Errno);
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => OpenPath.File(temp.At("none"))).Errno);
        Assert.Equal(Errno.ENOTDIR, Assert.Throws<LinuxException>(() => OpenPath.Directory(temp.Write("file", []))).Errno);
        OpenPath.Directory(temp.Path).Dispose();
    }
}
