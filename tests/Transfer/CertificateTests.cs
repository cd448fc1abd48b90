using System.Text.Json;

namespace HackTree.Tests.Transfer;

/// <summary>A web server with an authority of its own that wants a certificate of each client: Debian's nginx with ssl_verify_client.</summary>
public sealed class CertificateTests : IDisposable
{
    private readonly TransferWorld world = new();
    private readonly Server web;

    public CertificateTests()
    {
        world.MakeCertificates();
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        world.Init("other");
        web = Server.Web(world, $"{TransferWorld.Tls} ssl_client_certificate $WORLD/ca.pem; ssl_verify_client on; ssl_verify_depth 2;", "ssl");
    }

    private string Url => $"https://127.0.0.1:{web.Port}/layout";

    public void Dispose()
    {
        web.Dispose();
        world.Dispose();
    }

    /// <summary>The client's certificate is signed by one between it and the authority, which the server does not have.</summary>
    [Fact]
    public void A_client_that_shows_its_certificate_is_served()
    {
        world.Shell($"$H --store other pull --ca ca.pem --cert chain.pem --key client.key {Url}:debian/test").Succeeded();
        world.AssertWhole("other", world.First);
        world.Init("third");
        world.Shell($"cat client.key chain.pem > both.pem; $H --store third pull --ca ca.pem --cert both.pem {Url}:debian/test").Succeeded();
        world.AssertWhole("third", world.First);
    }

    [Theory]
    [InlineData("--ca ca.pem", "the server answers 400")]
    [InlineData("--ca ca.pem --cert other.pem --key other.key", "the server answers 400")]
    [InlineData("--ca ca.pem --cert client.pem --key client.key", "the server answers 400")]
    [InlineData("--cert chain.pem --key client.key", "certificate")]
    [InlineData("--ca other.pem --cert chain.pem --key client.key", "certificate")]
    [InlineData("--ca ca.pem --cert chain.pem --key server.key", "server.key: ")]
    [InlineData("--ca ca.pem --cert chain.pem", "chain.pem: ")]
    [InlineData("--ca ca.pem --cert none.pem --key client.key", "none.pem")]
    [InlineData("--ca none.pem", "none.pem")]
    [InlineData("--ca tree", "tree")]
    public void Whoever_has_no_right_one_is_not_and_is_told(string options, string words)
    {
        TransferWorld.AssertRefused(world.Shell($"$H --store other pull {options} {Url}:debian/test"), words);
        Assert.Empty(world.Refs("other"));
    }

    [Fact]
    public void A_remote_remembers_the_files_for_each_command()
    {
        world.Shell($"mkdir sub; cd sub; $H --store ../other remote add --ca ../ca.pem --cert ../chain.pem --key ../client.key origin {Url}").Succeeded();
        JsonElement listed = JsonDocument.Parse(world.On("other", "remote", "--json").Succeeded()).RootElement[0];
        Assert.Equal(
            [world.At("ca.pem"), world.At("chain.pem"), world.At("client.key")],
            ((string[])["ca", "cert", "key"]).Select(name => listed.GetProperty(name).GetString()));
        world.On("other", "upgrade", "--dry-run", "origin:debian/test").Succeeded();
        world.On("other", "remote", "show", "origin").Succeeded();
        TransferWorld.AssertRefused(world.On("other", "pull", "--ca", world.At("other.pem"), "origin:debian/test"), "certificate");
        string[] other = ["--cert", world.At("other.pem"), "--key", world.At("other.key")];
        TransferWorld.AssertRefused(world.On("other", ["pull", .. other, "origin:debian/test"]), "answers 400");
        world.On("other", "pull", "origin").Succeeded();
        world.AssertWhole("other", world.First);
        world.Shell($"$H clone -q --ca ca.pem --cert chain.pem --key client.key {Url} third; $H --store third pull origin").Succeeded();
        world.Shell("mv client.key away").Succeeded();
        TransferWorld.AssertRefused(world.On("other", "pull", "origin"), "client.key: ");
    }

    [Fact]
    public void Files_that_cannot_be_used_make_no_remote()
    {
        TransferWorld.AssertRefused(world.Shell($"$H --store other remote add --ca none.pem origin {Url}"), "none.pem: ");
        TransferWorld.AssertRefused(world.Shell($"$H --store other remote add --cert chain.pem --key other.key origin {Url}"), "other.key: ");
        TransferWorld.AssertRefused(world.Shell($"$H --store other remote add --key client.key origin {Url}"), "--key has the key of --cert: give both", 2);
        TransferWorld.AssertRefused(world.Shell($"$H clone --cert none.pem {Url} fourth"), "none.pem: ");
        Assert.Equal("", world.On("other", "remote").Succeeded());
        Assert.False(Directory.Exists(world.At("fourth")));
    }
}
