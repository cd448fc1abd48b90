using System.Text;
using HackTree.Checkout;

namespace HackTree.Tests.Checkout;

public sealed class TarPathTests
{
    [Theory]
    [InlineData(".", "")]
    [InlineData("./", "")]
    [InlineData("a", "a")]
    [InlineData("./a", "a")]
    [InlineData("././/a//b/", "a b")]
    [InlineData("a/./b/.", "a b")]
    [InlineData("..a/.../b..", "..a ... b..")]
    public void A_path_is_names(string path, string names)
    {
        Assert.Null(TarPath.Fault(Encoding.UTF8.GetBytes(path)));
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(path);
        var found = new List<string>();
        while (TarPath.Next(ref rest, out ReadOnlySpan<byte> name))
        {
            found.Add(Encoding.UTF8.GetString(name));
        }

        Assert.Equal(names, string.Join(' ', found));
    }

    [Theory]
    [InlineData("", "a path of 0 bytes")]
    [InlineData("/", "absolute")]
    [InlineData("/etc/passwd", "absolute")]
    [InlineData("..", "leaves the tree")]
    [InlineData("../x", "leaves the tree")]
    [InlineData("a/../b", "leaves the tree")]
    [InlineData("./..", "leaves the tree")]
    [InlineData("a/..", "leaves the tree")]
    [InlineData("a\0b", "NUL")]
    [InlineData("\0", "NUL")]
    public void A_path_that_is_not_below_the_tree_is_refused(string path, string why) =>
        Assert.Contains(why, TarPath.Fault(Encoding.UTF8.GetBytes(path)), StringComparison.Ordinal);

    [Fact]
    public void Names_may_have_255_bytes_and_paths_a_MiB()
    {
        Assert.Null(TarPath.Fault(new byte[255].Select(_ => (byte)'n').ToArray()));
        Assert.Contains("a name of 256 bytes", TarPath.Fault(new byte[256].Select(_ => (byte)'n').ToArray()), StringComparison.Ordinal);
        Assert.Contains("a path of", TarPath.Fault(new byte[TarPath.MaxLength + 1]), StringComparison.Ordinal);
    }
}
