using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>A clone that fails leaves nothing, or a store of which it is said how to go on.</summary>
public sealed class CloneTests : IDisposable
{
    private readonly CliWorld world = new();

    public CloneTests()
    {
        world.Commit();
        world.Run("push", "-q", "debian/test", "./layout").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("./nowhere")]
    [InlineData("./tree")]
    [InlineData("./objects/packs")]
    [InlineData("--require-signature --keys tree/etc/passwd ./layout")]
    [InlineData("--keys nothing --require-signature ./layout")]
    [InlineData("--require-signature --keys keys ./layout")]
    public void Before_anything_was_fetched_it_leaves_nothing(string arguments)
    {
        world.Shell("ssh-keygen -q -t ed25519 -N '' -f key; echo \"x $(cat key.pub)\" > keys").Succeeded();
        string[] words = ["clone", .. arguments.Split(' '), "copy"];
        world.Refuses(1, "", words);
        world.Shell("mkdir copy").Succeeded();
        world.Refuses(1, "", words);
        world.Run("clone", "-q", "./layout", "copy").Succeeded();
        world.Run("--store", "copy", "fsck", "-q").Succeeded();
    }

    [Fact]
    public void What_was_fetched_stays_and_the_sentence_says_how_to_go_on()
    {
        world.Shell("echo more > tree/more; $H commit -q -b other tree; $H push -q other ./layout").Succeeded();

        // Refs are pulled in the order of their names.
        world.Shell("""
            cp -r layout whole
            cat > manifest-of.py <<'END'
            import json
            for each in json.load(open('layout/index.json'))['manifests']:
                if each['annotations']['org.opencontainers.image.ref.name'] == 'other':
                    print(each['digest'].split(':')[1])
            END
            m=$(python3 manifest-of.py); test -f layout/blobs/sha256/$m && rm layout/blobs/sha256/$m
            """).Succeeded();
        ToolResult failed = world.Run("clone", "./layout", "copy");
        Assert.True(CliWorld.IsOneSentence(failed), failed.Error);
        Assert.Equal(1, failed.ExitCode);
        Assert.EndsWith("; `hacktree --store copy pull origin` goes on\n", failed.Error, StringComparison.Ordinal);

        world.Shell("rm -r layout; mv whole layout").Succeeded();
        world.Refuses(1, "copy: there is a clone of it already; `hacktree --store copy pull origin` goes on", ["clone", "./layout", "copy"]);
        world.Refuses(1, "there is a store already", ["clone", "./elsewhere", "copy"]);
        world.Run("--store", "copy", "pull", "-q", "origin").Succeeded();
        world.Run("--store", "copy", "show", "other").Succeeded();
    }
}
