using System.Text.Json;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Servers that are slow, limited, or break off, and commands that are killed.</summary>
public sealed class FaultyServerTests : IDisposable
{
    private readonly TransferWorld world = new();

    public FaultyServerTests()
    {
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        world.Init("other");
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_server_without_ranges_gives_whole_bundles()
    {
        using Server web = Server.Web(world, "max_ranges 0;");
        world.Pull("other", $"{Url(web.Port)}:debian/test");
        world.AssertWhole("other", world.First);
        string second = world.CommitUpdate();
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        world.Pull("other", $"{Url(web.Port)}:debian/test");
        world.AssertWhole("other", second);
    }

    [Fact]
    public void A_connection_that_is_cut_is_taken_up_where_it_was()
    {
        using Server web = Server.Web(world);
        using CuttingProxy proxy = Server.Cutting(web.Port, 3_000_000, 3);
        JsonElement pulled = world.Pull("other", $"{Url(proxy.Port)}:debian/test");
        Assert.Equal(3, proxy.Cuts);
        world.AssertWhole("other", world.First);

        // No byte that came before a cut is fetched again.
        long there = long.Parse(world.Shell("cat layout/blobs/sha256/* | wc -c").Succeeded());
        Assert.InRange(pulled.GetProperty("bytes").GetInt64(), 1, there);
    }

    [Fact]
    public void A_server_that_asks_for_patience_gets_it()
    {
        using Server web = Server.Web(world, "location / { limit_req zone=few; limit_req_status 429; }");
        world.Pull("other", $"{Url(web.Port)}:debian/test");
        world.AssertWhole("other", world.First);
    }

    [Theory]
    [InlineData("return 403;", "answers 403")]
    [InlineData("return 404;", "not found")]
    [InlineData("return 302 $scheme://$http_host$request_uri;", "answers 302")]
    [InlineData("return 200 'not json';", "no index of an OCI image layout")]
    public void An_answer_that_does_not_help_is_said(string answer, string pattern)
    {
        using Server web = Server.Web(world, $"location / {{ {answer} }}");
        TransferWorld.AssertRefused(world.On("other", "pull", $"{Url(web.Port)}:debian/test"), pattern);
        Assert.Empty(world.Refs("other"));
    }

    [Fact]
    public void A_redirect_is_followed()
    {
        using Server web = Server.Web(world, "location /old/ { rewrite ^/old/(.*)$ /$1 redirect; }");
        world.Pull("other", $"http://127.0.0.1:{web.Port}/old/layout:debian/test");
        world.AssertWhole("other", world.First);
    }

    [Fact]
    public void A_header_is_sent()
    {
        using Server web = Server.Web(world, "location / { if ($http_x_key != secret) { return 403; } }");
        TransferWorld.AssertRefused(world.On("other", "pull", $"{Url(web.Port)}:debian/test"), "403");
        world.Pull("other", "--http-header", "X-Key: secret", $"{Url(web.Port)}:debian/test");
        world.AssertWhole("other", world.First);
    }

    [Fact]
    public void Plain_http_to_another_machine_takes_a_word() =>
        TransferWorld.AssertRefused(world.On("other", "pull", "http://example.invalid/x:debian/test"), "--plain-http");

    [Fact]
    public void A_killed_pull_goes_on_and_a_stopped_one_says_so()
    {
        // The limit makes the pull last, a minute in all, so that a busy machine too ends it in time: the server, unlike a directory, is read under it.
        using Server web = Server.Web(world);
        string pull = $"$H --store other pull --limit-rate 200 {Url(web.Port)}:debian/test";
        const string More = "n=$(find other/files -type f | wc -l); until [ $(find other/files -type f | wc -l) -gt $((n + 9)) ]; do sleep 0.02; done";
        Assert.Equal(137, world.Shell($"{pull} & {More}; kill -KILL $!; wait $!").ExitCode);
        Assert.Empty(world.Refs("other"));

        // Without job control a shell has its background commands ignore SIGINT.
        ToolResult stopped = world.Shell($"set -m; {pull} & {More}; kill -INT $!; wait $!");
        Assert.Equal(130, stopped.ExitCode);
        Assert.Contains("stopped; what was fetched is kept", stopped.Error);
        Assert.Empty(world.Refs("other"));

        JsonElement last = world.Pull("other", $"{Url(web.Port)}:debian/test");
        Assert.InRange(last.GetProperty("blobs").GetInt32(), 0, 305);
        world.AssertWhole("other", world.First);
    }

    private static string Url(int port) => $"http://127.0.0.1:{port}/layout";
}
