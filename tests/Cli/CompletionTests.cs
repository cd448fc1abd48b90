using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Completion in bash: the script is sourced, then its function is called as readline would call it.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly CliWorld world = new();

    public CompletionTests()
    {
        world.Commit("debian/test");
        world.Commit("debian/other");
        world.Shell("$H checkout -q debian/test r1; $H checkout -q debian/test r2").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("hacktree ch", "checkout")]
    [InlineData("hacktree commit --cons", "--consume")]
    [InlineData("hacktree commit -b ", "debian/other debian/test")]
    [InlineData("hacktree commit -b new ", "")]
    [InlineData("hacktree checkout debian/t", "debian/test")]
    [InlineData("hacktree checkout debian/test ", "")]
    [InlineData("hacktree diff debian/test debian/o", "debian/other")]
    [InlineData("hacktree refs ", "alias delete log set")]
    [InlineData("hacktree refs delete debian/o", "debian/other")]
    [InlineData("hacktree ls debian/test ", "etc/ usr/")]
    [InlineData("hacktree cat debian/test etc/p", "etc/passwd")]
    [InlineData("hacktree roots rm ", "r1 r2")]
    [InlineData("hacktree roots pin r", "r1 r2")]
    [InlineData("hacktree roots unpin r2", "r2")]
    [InlineData("hacktree checkout --from $PWD/r", "$PWD/r1 $PWD/r2")]
    [InlineData("hacktree help ch", "checkout")]
    [InlineData("hacktree completion ", "bash fish zsh")]
    [InlineData("hacktree --store nowhere log ", "")]
    [InlineData("hacktree nothing ", "")]
    public void Bash_is_offered(string line, string expected)
    {
        string offered = world.Shell($$"""
            mkdir -p bin; ln -sf $H bin/hacktree; PATH=$PWD/bin:$PATH
            source <(hacktree completion bash)
            complete -p hacktree | grep -q -- '-F _hacktree' || exit 9
            COMP_LINE="{{line}}"; COMP_POINT=${#COMP_LINE}
            _hacktree
            [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort
            """).Succeeded();
        Assert.Equal(expected.Replace("$PWD", world.Path, StringComparison.Ordinal), string.Join(' ', offered.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public void Every_verb_is_offered() =>
        Assert.Equal(
            "bench bisect build cat checkout clone commit completion default delta deploy diff du etc export fsck gc good hash help image image-digest init initrd kargs log ls mirror mount pull push refs remote rev-parse rollback roots serve show sign status umount unlock upgrade verify version",
            string.Join(' ', world.Run("__complete", "").Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)));

    [Theory]
    [InlineData("zsh", "zsh -n")]
    [InlineData("fish", "fish --no-execute")]
    [InlineData("bash", "bash -n")]
    public void The_script_is_one(string shell, string check)
    {
        Assert.Contains("__complete", world.Run("completion", shell).Succeeded());
        Tools.Require(shell);
        world.Shell($"$H completion {shell} > script && {check} script").Succeeded();
    }
}
