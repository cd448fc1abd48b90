using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Paths of the command line that are not UTF-8: a command finds what is there and makes no other name, or refuses in one sentence.</summary>
public sealed class RawPathTests : IDisposable
{
    private readonly CliWorld world = new();

    public RawPathTests() => world.Commit();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("a layout", "$H push debian/test ./x$B; test -e x$B/index.json; mkdir y$B; $H push debian/test ./y$B")]
    [InlineData("a layout below directories that are missing", "$H push debian/test ./x$B/y$B/z; test -e x$B/y$B/z/index.json")]
    [InlineData("what a layout is pulled from", "$H push debian/test ./x$B; $H --store other $INIT; $H --store other pull ./x$B:debian/test; $H --store other fsck")]
    [InlineData("a store that is pushed to", "$H --store x$B $INIT; $H push debian/test ./x$B; $H --store x$B show debian/test")]
    [InlineData("both ends of a mirror", "$H push debian/test ./x$B; $H mirror ./x$B ./y$B; test -e y$B/index.json")]
    [InlineData("a layout with a container image", "$H export debian/test --oci ./x$B:a; $H commit -b image --oci ./x$B:a")]
    [InlineData("one of several trees", "cp -r tree x$B; $H commit -b x --tree x$B; $H commit -b x --tree x$B --tree debian/test")]
    [InlineData("a place of good copies", "cp -r tree x$B; tar cf y$B tree; $H fsck --repair --from x$B; $H fsck --repair --from y$B")]
    [InlineData("the directory that a tree is laid over", "mkdir x$B; $H checkout --union debian/test x$B; test -e x$B/etc/passwd")]
    [InlineData("an initrd", "echo a | cpio -o -H newc --quiet < /dev/null > i$B; $H initrd extract i$B x$B; test -d x$B")]
    public void A_path_of_any_bytes_is(string what, string script)
    {
        ToolResult result = world.Shell($"""
            set -e; B=$'\377'; INIT='{string.Join(' ', CliWorld.Init)}'
            {script}
            if find . -name $'*\357\277\275*' | grep .; then exit 7; fi
            """);
        Assert.True(result.ExitCode == 0, $"{what}: {result.ExitCode}: {result.Error}{result.Output}");
    }

    [Fact]
    public void Init_prints_the_bytes_of_the_path() =>
        world.Shell("""p=$("$H" --store $'x\377' init --user 2> /dev/null); test -d "$p" """).Succeeded();

    [Fact]
    public void Push_gives_programs_the_bytes_of_the_remote() =>
        Assert.Contains("\"remoteBase64\":\"", world.Shell("""$H push --json debian/test ./$'x\377'""").Succeeded());

    [Theory]
    [InlineData("must be UTF-8", "$H remote add origin ./x$B")]
    [InlineData("must be UTF-8", "mkdir x$B; $H clone ./x$B copy")]
    [InlineData("must be UTF-8", "mkdir x$B; $H build --from debian/test -b b --bind x$B:/mnt true")]
    [InlineData("must be UTF-8", "$H image create --tree debian/test -o x$B.img")]
    [InlineData("must be UTF-8", "cp tree/etc/passwd x$B; $H image convert x$B")]
    public void What_needs_text_says_so(string words, string script)
    {
        Assert.SkipUnless(Sys.IsRoot || !script.Contains("image", StringComparison.Ordinal), "only root makes images");
        ToolResult result = world.Shell($"B=$'\\377'; {script}");
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", world.Shell("find . -name $'*\\357\\277\\275*'").Succeeded());
    }
}
