using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>A real forward proxy between client and server: Debian's tinyproxy.</summary>
public sealed class ProxyTests : IDisposable
{
    private readonly TransferWorld world = new();

    public ProxyTests()
    {
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        world.Init("other");
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("http_proxy")]
    [InlineData("HTTP_PROXY")]
    [InlineData("all_proxy")]
    public void The_proxy_of_the_environment_is_asked(string variable)
    {
        using Server web = Server.Web(world);
        using Server proxy = Server.Proxy(world);
        Pull($"{variable}=http://127.0.0.1:{proxy.Port}", $"http://127.0.0.1:{web.Port}").Succeeded();
        Assert.Contains($"GET http://127.0.0.1:{web.Port}/layout/index.json", Log(proxy));
        Assert.DoesNotContain("CONNECT 127", Log(proxy));
        world.AssertWhole("other", world.First);
    }

    [Theory]
    [InlineData("https_proxy")]
    [InlineData("HTTPS_PROXY")]
    public void What_is_encrypted_goes_through_it_and_stays_so(string variable)
    {
        world.MakeCertificates();
        using Server web = Server.Web(world, TransferWorld.Tls, "ssl");
        using Server proxy = Server.Proxy(world);
        Pull($"{variable}=http://127.0.0.1:{proxy.Port}", $"https://127.0.0.1:{web.Port}", "--ca ca.pem").Succeeded();
        Assert.Contains($"CONNECT 127.0.0.1:{web.Port}", Log(proxy));
        Assert.DoesNotContain("layout", Log(proxy));
        world.AssertWhole("other", world.First);
    }

    [Theory]
    [InlineData("no_proxy=127.0.0.1")]
    [InlineData("NO_PROXY=.example.com,127.0.0.1")]
    public void Where_it_is_not_meant_to_it_is_not_asked(string exception)
    {
        using Server web = Server.Web(world);
        using Server proxy = Server.Proxy(world);
        Pull($"http_proxy=http://127.0.0.1:{proxy.Port} {exception}", $"http://127.0.0.1:{web.Port}").Succeeded();
        Assert.DoesNotContain("GET", Log(proxy));
        world.AssertWhole("other", world.First);
    }

    [Fact]
    public void A_proxy_that_wants_a_login_gets_that_of_its_URL()
    {
        world.MakeCertificates();
        using Server web = Server.Web(world);
        using Server tls = Server.Web(world, TransferWorld.Tls, "ssl");
        using Server proxy = Server.Proxy(world, "BasicAuth deploy secret");
        string place = $"127.0.0.1:{proxy.Port}", plain = $"http://127.0.0.1:{web.Port}", encrypted = $"https://127.0.0.1:{tls.Port}";
        TransferWorld.AssertRefused(Pull($"http_proxy=http://{place}", plain), $"the proxy {place} wants a login");
        TransferWorld.AssertRefused(Pull($"http_proxy=http://deploy:wrong@{place}", plain), $"401 Unauthorized, through the proxy {place}");
        TransferWorld.AssertRefused(Pull($"https_proxy=http://{place}", encrypted, "--ca ca.pem"), $"the proxy {place} wants a login");
        Assert.Empty(world.Refs("other"));
        Pull($"http_proxy=http://deploy:secret@{place}", plain).Succeeded();
        world.AssertWhole("other", world.First);
        world.Shell("rm -r other").Succeeded();
        world.Init("other");
        Pull($"https_proxy=http://deploy:secret@{place}", encrypted, "--ca ca.pem").Succeeded();
        world.AssertWhole("other", world.First);
    }

    [Fact]
    public void A_proxy_that_refuses_is_named()
    {
        world.MakeCertificates();
        using Server web = Server.Web(world);
        using Server tls = Server.Web(world, TransferWorld.Tls, "ssl");
        File.WriteAllText(world.At("filter"), "127.0.0.1\n");
        using Server proxy = Server.Proxy(world, $"ConnectPort 1\nFilter \"{world.At("filter")}\"");
        string place = $"127.0.0.1:{proxy.Port}", encrypted = $"https://127.0.0.1:{tls.Port}";
        TransferWorld.AssertRefused(Pull($"http_proxy=http://{place}", $"http://127.0.0.1:{web.Port}"), $"403 .*, through the proxy {place}");
        TransferWorld.AssertRefused(Pull($"https_proxy=http://{place}", encrypted, "--ca ca.pem"), $"the proxy {place} makes no connection .*403");
        Assert.Empty(world.Refs("other"));
    }

    /// <summary>What may pass is tried again, so this takes a while.</summary>
    [Fact]
    public void A_proxy_that_is_not_there_is_named()
    {
        using Server web = Server.Web(world);
        string place = $"127.0.0.1:{Server.FreePort()}";
        TransferWorld.AssertRefused(Pull($"http_proxy=http://{place}", $"http://127.0.0.1:{web.Port}"), $"Connection refused .*, through the proxy {place}");
    }

    private ToolResult Pull(string variables, string server, string options = "") =>
        world.Shell($"{variables} $H --store other pull {options} {server}/layout:debian/test");

    private string Log(Server proxy) => File.ReadAllText(world.At($"tinyproxy-{proxy.Port}/log"));
}
