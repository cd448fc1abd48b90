using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>Registries that ask who one is, and servers with certificates of their own.</summary>
public sealed class LoginTests : IDisposable
{
    // The line of htpasswd for user and password "deploy" and "secret", by bcrypt.
    private const string Password = "deploy:$2b$05$3sZjvovD2IufOXQL4nFtqeZKjRKGH7oWEAUhi2pC.GxN4r6XH4Jsy";

    private readonly TransferWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_registry_with_a_login_takes_that_of_podman()
    {
        File.WriteAllText(world.At("htpasswd"), Password + "\n");
        using Server registry = Server.Registry(world, $"auth:\n  htpasswd:\n    realm: test\n    path: {world.At("htpasswd")}");
        string place = $"oci://127.0.0.1:{registry.Port}/debian";
        TransferWorld.AssertRefused(world.Run("push", "debian/test", place), "answers 401.*no login for 127.0.0.1");
        string known = Convert.ToBase64String("deploy:secret"u8);
        File.WriteAllText(world.At("auth.json"), "{\"auths\":{\"" + $"127.0.0.1:{registry.Port}" + "\":{\"auth\":\"" + known + "\"}}}");
        world.Shell($"REGISTRY_AUTH_FILE=$PWD/auth.json $H push debian/test {place}").Succeeded();
        File.WriteAllText(world.At("netrc"), "machine 127.0.0.1\nlogin deploy\npassword secret\n");
        world.Init("other");
        world.Shell($"NETRC=$PWD/netrc $H --store other pull {place}:debian/test").Succeeded();
        world.AssertWhole("other", world.First);
        File.WriteAllText(world.At("netrc"), "machine 127.0.0.1 login deploy password wrong");
        TransferWorld.AssertRefused(world.Shell($"NETRC=$PWD/netrc $H --store other pull {place}:debian/test"), "does not accept the login");
    }

    [Fact]
    public void A_registry_with_its_own_certificate_needs_its_authority()
    {
        world.MakeCertificates();
        using Server registry = Server.Registry(world, $"  tls:\n    certificate: {world.At("server.pem")}\n    key: {world.At("server.key")}");
        string place = $"oci://127.0.0.1:{registry.Port}/debian";
        world.Shell($"$H push --ca ca.pem debian/test {place}").Succeeded();
        world.Init("other");
        world.Shell($"$H --store other pull --ca ca.pem {place}:debian/test").Succeeded();
        world.AssertWhole("other", world.First);
        world.Init("third");
        ToolResult refused = world.Shell($"$H --store third pull --ca other.pem {place}:debian/test");
        TransferWorld.AssertRefused(refused, "certificate");
        Assert.Empty(world.Refs("third"));
    }
}
