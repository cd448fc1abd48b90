using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Another store on this machine.</summary>
public sealed class StoreRemoteTests : RemoteTests
{
    public StoreRemoteTests() => World.Init("far");

    protected override string PushPlace => World.At("far");

    protected override int RequestsForNothing => 0;

    protected override bool CountsBytes => false;

    [Fact]
    public void A_damaged_file_there_is_said_and_no_ref_is_set()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Shell("f=$(find far/files -size +8M | head -1); printf x | dd of=$f bs=1 seek=5000000 conv=notrunc status=none").Succeeded();
        World.Init("other");
        TransferWorld.AssertRefused(World.On("other", "pull", $"{PullPlace}:debian/test"), "srv/large.* is damaged or missing there");
        Assert.Empty(World.Refs("other"));
    }

    /// <summary>An alias is sent as what it is to those who ask for it: a ref.</summary>
    [Fact]
    public void An_alias_is_an_ordinary_ref_elsewhere()
    {
        World.Run("refs", "alias", "stable", "debian/test").Succeeded();
        World.Run("push", "stable", World.At("layout")).Succeeded();
        World.Run("push", "stable", PushPlace).Succeeded();
        World.Run("clone", "-q", World.At("objects"), World.At("whole")).Succeeded();
        World.Init("other");
        World.On("other", "pull", $"{World.At("layout")}:stable").Succeeded();
        World.Run("refs", "delete", "stable").Succeeded();
        Assert.Equal(["stable"], World.Refs("far"));
        Assert.Equal(["stable"], World.Refs("other"));
        Assert.Equal(["debian/test", "stable"], World.Refs("whole"));
        World.Shell("[ $(find far other whole -name aliases | wc -l) = 0 ]").Succeeded();

        // Where it is an alias, nothing sets it: no pull, no push, no delta.
        World.On("whole", "refs", "delete", "stable").Succeeded();
        World.On("whole", "refs", "alias", "stable", "debian/test").Succeeded();
        string next = World.CommitUpdate();
        World.Run("refs", "set", "stable", "debian/test").Succeeded();
        TransferWorld.AssertRefused(World.On("whole", "pull", $"{World.At("objects")}:stable"), "'stable' is an alias of 'debian/test'");
        TransferWorld.AssertRefused(World.Run("push", "stable", World.At("whole")), "'stable' is an alias of 'debian/test'");
        World.On("whole", "pull", $"{World.At("objects")}:debian/test").Succeeded();
        Assert.Equal($"{next}\n", World.On("whole", "rev-parse", "stable").Succeeded());
    }

    [Fact]
    public void The_store_itself_is_no_other()
    {
        TransferWorld.AssertRefused(World.Run("push", "debian/test", "./objects"), "it is this store itself");
        TransferWorld.AssertRefused(World.Run("pull", "./objects:debian/test"), "it is this store itself");
        TransferWorld.AssertRefused(World.On("far", "pull", "./objects:debian/none"), "has no ref");
        TransferWorld.AssertRefused(World.On("far", "pull", "./nowhere:debian/test"), "nowhere: there is no such directory");
    }
}

/// <summary>A store behind OpenSSH's sshd.</summary>
public sealed class SshRemoteTests : RemoteTests
{
    private readonly Server server;

    public SshRemoteTests()
    {
        World.Init("far");
        server = Server.Ssh(World);
    }

    protected override string PushPlace => $"ssh://127.0.0.1:{server.Port}{World.At("far")}";

    public override void Dispose()
    {
        server.Dispose();
        base.Dispose();
    }

    [Fact]
    public void A_file_is_made_of_the_old_one_and_fetched_whole_where_that_is_damaged()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        World.Pull("other", $"{PullPlace}:debian/test");
        World.Shell("printf new | dd of=tree/srv/large bs=1 seek=5000000 conv=notrunc status=none").Succeeded();
        string second = World.CommitUpdate();
        World.Run("push", "debian/test", PushPlace).Succeeded();

        World.Shell("cp -a other damaged; for f in $(find damaged/files -size +8M); do printf x | dd of=$f bs=1 seek=4000000 conv=notrunc status=none; done").Succeeded();
        Assert.InRange(World.Pull("other", $"{PullPlace}:debian/test").GetProperty("bytes").GetInt64(), 1, 300_000);
        World.AssertWhole("other", second);
        Assert.InRange(World.Pull("damaged", $"{PullPlace}:debian/test").GetProperty("bytes").GetInt64(), 9_000_000, 20_000_000);
        World.AssertRef("damaged", second);
        World.Run("export", "debian/test", "--tar", "/dev/null").Succeeded();
    }

    [Fact]
    public void A_commit_without_a_good_signature_is_refused_and_signatures_go_along()
    {
        using var keys = new SignKeys();
        string key = keys.Make("release"), trusted = keys.Trust("trusted", ("release", "release"));
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        string[] pull = ["pull", "--require-signature", "--keys", trusted, $"{PullPlace}:debian/test"];
        TransferWorld.AssertRefused(World.On("other", pull), "is not signed");
        Assert.Empty(World.Refs("other"));
        World.Run("sign", "-q", "debian/test", "--sign-key", key).Succeeded();
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.On("other", pull).Succeeded();
        World.AssertWhole("other", World.First);
        World.On("other", "verify", "--keys", trusted, "debian/test").Succeeded();
    }

    [Fact]
    public void A_key_can_be_bound_to_a_store_that_is_only_read()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Variables.Clear();
        using var bound = Server.Ssh(World, $"restrict,command=\\\"hacktree --store {World.At("far")} serve --stdio --read-only\\\"");
        string place = $"ssh://127.0.0.1:{bound.Port}/another/store";
        World.Init("other");
        World.Pull("other", $"{place}:debian/test");
        World.AssertWhole("other", World.First);
        string second = World.CommitUpdate();
        TransferWorld.AssertRefused(World.Run("push", "debian/test", place), "nobody may push here");
        Assert.NotEqual(second, World.First);
        World.AssertRef("far", World.First);
    }

    [Fact]
    public void Who_says_nothing_is_given_up()
    {
        ToolResult result = World.Shell("$H serve --stdio --timeout 1 < <(echo hello 0; exec sleep 100)");
        Assert.Equal((1, "yes 16\nhacktree store 1"), (result.ExitCode, result.Output));
        Assert.Equal("hacktree: the other end has said nothing for too long; it can be run again\n", result.Error);
        World.Run("gc", "-q").Succeeded();
    }

    /// <summary>An end that is none, or that lies: one sentence each, and nothing named.</summary>
    [Theory]
    [InlineData("exit 3", "the connection ended .exit code 3 of ssh")]
    [InlineData("echo 'no such host' >&2; exit 255", "no such host")]
    [InlineData("exit 127", "hacktree is not in the PATH of that user there")]
    [InlineData("echo Welcome", "nothing that this HackTree understands")]
    [InlineData("yes | tr -d '\\\\n' | head -c 100000", "nothing that this HackTree understands")]
    [InlineData("echo 'yes 9999999999999999999'", "nothing that this HackTree understands")]
    [InlineData("echo 'yes 900000000'; cat /dev/zero", "nothing that this HackTree understands")]
    [InlineData("printf 'yes 16\\\\nhacktree store 9'", "nothing that this HackTree understands")]
    [InlineData("printf 'yes 16\\\\nhacktree store 1'", "the connection ended .exit code 0 of ssh")]
    [InlineData("printf 'yes 16\\\\nhacktree store 1yes 3\\\\nabc'", "nothing that this HackTree understands")]
    [InlineData("printf 'yes 16\\\\nhacktree store 1no 4\\\\nbusy'", "busy")]
    [InlineData("printf 'yes 16\\\\nhacktree store 1yes 64\\\\n%064d' 7; printf 'yes 0\\\\nyes 0\\\\n'", "no whole delta|is no delta|missing there")]
    public void An_end_that_is_none_is_said(string script, string pattern)
    {
        World.Shell($"printf '#!/bin/sh\\n%s\\n' \"{script}\" > fake; chmod +x fake").Succeeded();
        World.Variables.Clear();
        World.Variables.Add($"HACKTREE_SSH={World.At("fake")}");
        World.Init("other");
        TransferWorld.AssertRefused(World.On("other", "pull", $"{PullPlace}:debian/test"), pattern);
        Assert.Empty(World.Refs("other"));
        World.On("other", "fsck").Succeeded();
    }
}
