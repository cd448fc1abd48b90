using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Checkout;

public class PathGlobTests
{
    [Theory]
    [InlineData("*.o", "main.o", true)]
    [InlineData("*.o", "src/deep/main.o", true)]
    [InlineData("*.o", "main.o.d", false)]
    [InlineData("var/cache/*", "var/cache/apt", true)]
    [InlineData("var/cache/*", "var/cache/apt/archives", false)]
    [InlineData("var/cache/**", "var/cache/apt/archives", true)]
    [InlineData("var/cache/*", "srv/var/cache/apt", false)]
    [InlineData("/tmp", "tmp", true)]
    [InlineData("/tmp", "var/tmp", false)]
    [InlineData("tmp/", "var/tmp", true)]
    [InlineData("**/__pycache__", "usr/lib/python3/__pycache__", true)]
    [InlineData("./tmp", "tmp", true)]
    [InlineData("./tmp", "var/tmp", false)]
    [InlineData("./var/*", "var/tmp", true)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c/x", "a/c/x", false)]
    [InlineData("[a-c]x", "bx", true)]
    [InlineData("[!a-c]x", "bx", false)]
    [InlineData("[!a-c]x", "dx", true)]
    [InlineData("[]]x", "]x", true)]
    [InlineData("\\*", "*", true)]
    [InlineData("\\*", "a", false)]
    [InlineData("a**b/c*d", "axx/yyb/c/d", false)]
    [InlineData("a**b/c*d", "axx/yyb/czzd", true)]
    [InlineData("*a*b*c/x", "zazbzc/x", true)]
    public void A_pattern_fits_the_paths_it_says(string pattern, string path, bool fits) =>
        Assert.Equal(fits, new PathGlob(pattern).Matches(ByteText.FromArgument(path)));

    /// <summary>A matcher that goes back to every star would not finish within the age of the universe.</summary>
    [Fact]
    public void Many_stars_do_not_take_for_ever()
    {
        string stars = string.Concat(Enumerable.Repeat("*a", 40)) + "b";
        Assert.False(new PathGlob(stars).Matches(ByteText.FromArgument(new string('a', 200))));
        string doubleStars = string.Concat(Enumerable.Repeat("**a/", 40)) + "b";
        Assert.False(new PathGlob(doubleStars).Matches(ByteText.FromArgument(string.Concat(Enumerable.Repeat("a/", 400)))));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("a[b")]
    [InlineData("[]")]
    [InlineData("[!]")]
    public void A_pattern_that_cannot_mean_anything_is_refused(string pattern) =>
        Assert.Throws<StoreException>(() => new PathGlob(pattern));
}
