using System.Text.Json;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>
/// What every place does that commits are pushed to and pulled from: a directory, a registry, the directory behind a web server, and a store, on this machine
/// and behind ssh.
/// </summary>
public abstract class RemoteTests : IDisposable
{
    private protected TransferWorld World { get; } = new();

    /// <summary>Where to push to.</summary>
    protected abstract string PushPlace { get; }

    /// <summary>Where to pull from: mostly the same place.</summary>
    protected virtual string PullPlace => PushPlace;

    /// <summary>The requests that tell that there is nothing new.</summary>
    protected virtual int RequestsForNothing => 1;

    /// <summary>Whether a push notices that another one was faster. A registry has no way to set a tag only if it is still what it was.</summary>
    protected virtual bool RefusesWhatWasSetMeanwhile => true;

    /// <summary>Whether what goes there and comes from there is counted.</summary>
    protected virtual bool CountsBytes => true;

    public virtual void Dispose()
    {
        World.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void What_was_pushed_is_pulled_and_nothing_twice()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        JsonElement first = World.Pull("other", $"{PullPlace}:debian/test");
        Assert.Equal(World.First, first.GetProperty("commit").GetString());
        Assert.Equal(JsonValueKind.Null, first.GetProperty("before").ValueKind);
        World.AssertWhole("other", World.First);

        JsonElement again = World.Pull("other", $"{PullPlace}:debian/test");
        Assert.Equal(RequestsForNothing, again.GetProperty("requests").GetInt64());
        Assert.Equal(0, again.GetProperty("blobs").GetInt64());

        string second = World.CommitUpdate();
        World.Run("push", "debian/test", PushPlace).Succeeded();
        JsonElement dry = World.Pull("other", "--dry-run", $"{PullPlace}:debian/test");
        Assert.Equal(second, dry.GetProperty("commit").GetString());
        World.AssertRef("other", World.First);
        JsonElement update = World.Pull("other", $"{PullPlace}:debian/test");
        Assert.Equal(World.First, update.GetProperty("before").GetString());
        Assert.Equal(4, update.GetProperty("blobs").GetInt64());
        Assert.InRange(update.GetProperty("requests").GetInt64(), RequestsForNothing, 5);
        Assert.InRange(update.GetProperty("bytes").GetInt64(), CountsBytes ? 1 : 0, 100_000);
        World.AssertWhole("other", second);
    }

    [Fact]
    public void A_second_push_sends_what_is_new_and_a_third_nothing()
    {
        JsonElement first = Push();
        Assert.InRange(first.GetProperty("bytes").GetInt64(), CountsBytes ? 9_000_000 : 0, 20_000_000);
        World.CommitUpdate();
        JsonElement second = Push();
        Assert.Equal(4, second.GetProperty("refs")[0].GetProperty("blobs").GetInt64());
        Assert.InRange(second.GetProperty("bytes").GetInt64(), CountsBytes ? 1 : 0, 200_000);
        JsonElement third = Push();
        Assert.Equal(RequestsForNothing, third.GetProperty("requests").GetInt64());

        JsonElement Push() => JsonDocument.Parse(World.Run("push", "--json", "debian/test", PushPlace).Succeeded()).RootElement;
    }

    [Fact]
    public void A_clone_has_every_ref_and_its_history_on_demand()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        string second = World.CommitUpdate();
        World.Shell("$H refs set other_ref/with+all@chars debian/test").Succeeded();
        World.Run("push", "debian/test", "other_ref/with+all@chars", PushPlace).Succeeded();
        World.Run("clone", PullPlace, "copy").Succeeded();
        World.AssertWhole("copy", second);
        Assert.Equal(["debian/test", "other_ref/with+all@chars"], World.Refs("copy"));
        Assert.Equal(1, World.Commits("copy"));
        World.On("copy", "pull", "--depth", "3", "origin:debian/test").Succeeded();
        Assert.Equal(2, World.Commits("copy"));
        World.On("copy", "fsck").Succeeded();
        Assert.Contains("origin", World.On("copy", "remote").Succeeded());
    }

    [Fact]
    public void An_older_commit_is_refused_and_a_foreign_one_not_pushed_over()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Shell("$H refs set old debian/test").Succeeded();
        string second = World.CommitUpdate();
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        World.Pull("other", $"{PullPlace}:debian/test");

        World.Shell("$H refs set debian/test old").Succeeded();
        TransferWorld.AssertRefused(World.Run("push", "debian/test", PushPlace), "no ancestor");
        World.Run("push", "--force", "debian/test", PushPlace).Succeeded();
        TransferWorld.AssertRefused(World.On("other", "pull", $"{PullPlace}:debian/test"), "older than .*--allow-downgrade");
        World.AssertRef("other", second);
        World.On("other", "pull", "--allow-downgrade", $"{PullPlace}:debian/test").Succeeded();
        World.AssertWhole("other", World.First);
    }

    [Fact]
    public void A_commit_that_was_made_here_is_not_lost_by_a_pull()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        World.Pull("other", $"{PullPlace}:debian/test");
        string own = World.Shell("mkdir own; touch own/file; $H --store other commit -b debian/test own").Succeeded().Trim();
        string theirs = World.CommitUpdate();
        World.Run("push", "debian/test", PushPlace).Succeeded();

        foreach (string option in new[] { "--quiet", "--dry-run", "--allow-downgrade" })
        {
            TransferWorld.AssertRefused(World.On("other", "pull", option, $"{PullPlace}:debian/test"), $"debian/test is commit {own[..16]} here.*--force");
        }

        World.AssertRef("other", own);
        World.Shell($"$H refs set z debian/test; $H push -q z {PushPlace}").Succeeded();
        ToolResult all = World.On("other", "pull", "--quiet", PullPlace);
        Assert.Equal((1, theirs), (all.ExitCode, World.On("other", "rev-parse", "z").Succeeded().Trim()));
        World.Shell("$H --store other refs set mine debian/test").Succeeded();
        World.On("other", "pull", "--force", $"{PullPlace}:debian/test").Succeeded();
        World.Shell("$H --store other gc -q; $H --store other ls mine").Succeeded();
        World.AssertWhole("other", theirs);
    }

    [Fact]
    public void A_ref_that_is_ahead_of_the_remote_stays()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        World.Pull("other", $"{PullPlace}:debian/test");
        string own = World.Shell("mkdir own; touch own/file; $H --store other commit -b debian/test own").Succeeded().Trim();
        JsonElement pulled = World.Pull("other", $"{PullPlace}:debian/test");
        Assert.Equal((own, own), (pulled.GetProperty("commit").GetString(), pulled.GetProperty("before").GetString()));
        Assert.True(pulled.GetProperty("ahead").GetBoolean());
        World.AssertRef("other", own);
    }

    /// <summary>Neither the parent of what is pulled nor pulled itself, but on the remote: a pull that skips commits goes on.</summary>
    [Fact]
    public void A_commit_that_was_pushed_does_not_stop_a_pull()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        World.Pull("other", $"{PullPlace}:debian/test");
        World.Shell($"mkdir own; touch own/file; $H --store other commit -q -b debian/test own; $H --store other push -q debian/test {PushPlace}").Succeeded();
        World.Run("pull", $"{PullPlace}:debian/test").Succeeded();
        _ = World.CommitUpdate(1);
        string last = World.CommitUpdate(2);
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.On("other", "pull", $"{PullPlace}:debian/test").Succeeded();
        World.AssertWhole("other", last);
    }

    /// <summary>Two publishers with different children of one commit: both pushes at once never both succeed, and what is there is the one that did.</summary>
    [Fact]
    public void Of_two_pushes_at_once_none_is_lost()
    {
        if (!RefusesWhatWasSetMeanwhile)
        {
            return;
        }

        World.Run("push", "debian/test", PushPlace).Succeeded();
        for (int round = 0; round < 4; round++)
        {
            World.Shell("rm -rf second; cp -a objects second; echo $RANDOM > tree/srv/one; $H commit -q -b debian/test tree; echo $RANDOM$RANDOM > tree/srv/one; $H --store second commit -q -b debian/test tree").Succeeded();
            string[] codes = World.Shell($"""
                $H push -q debian/test {PushPlace} 2> one & a=$!
                $H --store second push -q debian/test {PushPlace} 2> two & b=$!
                wait $a; echo $?; wait $b; echo $?
                """).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["0", "1"], codes.Order());
            Assert.Matches("set to another commit meanwhile|no ancestor", World.Shell("cat one two").Succeeded());
            string winner = codes[0] == "0" ? "objects" : "second";
            World.Shell($"rm -rf there; {CloneOf("there")}").Succeeded();
            Assert.Equal(World.Shell($"$H --store {winner} rev-parse debian/test").Succeeded(), World.Shell("$H --store there rev-parse debian/test").Succeeded());
            World.Shell($"rm -rf kept; mv {winner} kept; rm -rf objects; mv kept objects").Succeeded();
        }

        string CloneOf(string store) => $"$H clone {PullPlace} {store}";
    }

    /// <summary>A ref that no store could have beside another one is no ref of a remote either.</summary>
    [Fact]
    public void A_ref_above_another_one_is_refused()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Shell("$H refs delete debian/test; $H commit -q -b debian tree").Succeeded();
        ToolResult result = World.Run("push", "debian", PushPlace);
        TransferWorld.AssertRefused(result, "'debian' cannot be one|refs below 'debian/'");
    }

    [Fact]
    public void What_is_not_there_is_said()
    {
        World.Run("push", "debian/test", PushPlace).Succeeded();
        World.Init("other");
        TransferWorld.AssertRefused(World.On("other", "pull", $"{PullPlace}:debian/none"), "has no ref 'debian/none'");
        TransferWorld.AssertRefused(World.Run("push", "none", PushPlace), "no ref 'none'");
    }
}

/// <summary>A directory.</summary>
public sealed class FolderRemoteTests : RemoteTests
{
    protected override string PushPlace => $"file://{World.At("layout")}";
}

/// <summary>A directory behind nginx.</summary>
public sealed class WebRemoteTests : RemoteTests
{
    private readonly Server web;

    public WebRemoteTests() => web = Server.Web(World);

    protected override string PushPlace => World.At("layout");

    protected override string PullPlace => $"http://127.0.0.1:{web.Port}/layout";

    public override void Dispose()
    {
        web.Dispose();
        base.Dispose();
    }
}

/// <summary>docker-registry.</summary>
public sealed class RegistryRemoteTests : RemoteTests
{
    private readonly Server registry;

    public RegistryRemoteTests() => registry = Server.Registry(World);

    protected override string PushPlace => $"oci://127.0.0.1:{registry.Port}/images/debian";

    protected override bool RefusesWhatWasSetMeanwhile => false;

    public override void Dispose()
    {
        registry.Dispose();
        base.Dispose();
    }

    [Fact]
    public void Skopeo_carries_it_to_a_directory_from_which_it_is_pulled()
    {
        Tools.Require("skopeo");
        World.Run("push", "debian/test", PushPlace).Succeeded();
        string source = $"docker://127.0.0.1:{registry.Port}/images/debian:debian--test";
        Tools.Run("skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", source, $"oci:{World.At("carried")}:debian--test").Succeeded();
        World.Init("other");
        World.Pull("other", $"{World.At("carried")}:debian/test");
        World.AssertWhole("other", World.First);
    }
}
