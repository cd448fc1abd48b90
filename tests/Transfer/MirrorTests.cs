using System.Text.Json;

namespace HackTree.Tests.Transfer;

/// <summary>Mirrors: from a directory to a registry, from there to another directory, which has what the first one had.</summary>
public sealed class MirrorTests : IDisposable
{
    private readonly TransferWorld world = new();
    private readonly Server registry;

    public MirrorTests()
    {
        registry = Server.Registry(world);
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        Second = world.CommitUpdate();
        world.Shell("$H refs set other debian/test").Succeeded();
        world.Run("push", "debian/test", "other", world.At("layout")).Succeeded();
        world.Init("copy");
    }

    private string Second { get; }

    private string Registry => $"oci://127.0.0.1:{registry.Port}/images/debian";

    public void Dispose()
    {
        registry.Dispose();
        world.Dispose();
    }

    [Fact]
    public void All_refs_and_their_history_arrive_and_are_not_sent_twice()
    {
        Assert.Equal(["debian/test", "other"], Names(Run(world.At("layout"), Registry)));
        JsonElement again = Run(world.At("layout"), Registry);
        Assert.Equal(0, again.GetProperty("blobs").GetInt32());
        Assert.All(again.GetProperty("refs").EnumerateArray(), each => Assert.False(each.GetProperty("isNew").GetBoolean()));
        Run(Registry, world.At("there"));
        world.Pull("copy", "--depth", "5", $"{world.At("there")}:debian/test");
        world.AssertWhole("copy", Second);
        Assert.Equal(2, world.Commits("copy"));
        Assert.Equal(
            world.Shell("cd layout; find blobs -type f | sort | xargs sha256sum").Succeeded(),
            world.Shell("cd there; find blobs -type f | sort | xargs sha256sum").Succeeded());
    }

    [Fact]
    public void A_ref_goes_alone_and_a_container_image_stays()
    {
        world.Run("export", "other", "--oci", $"{Registry["oci://".Length..]}:image").Succeeded();
        Assert.Equal(["debian/test"], Names(Run(world.At("layout"), Registry, "debian/test")));
        Assert.Equal(["debian/test"], Names(Run(Registry, world.At("there"))));
        world.Pull("copy", $"{world.At("there")}:debian/test");
        world.AssertWhole("copy", Second);
        TransferWorld.AssertRefused(world.Run("mirror", world.At("layout"), Registry, "none"), "has no ref 'none'");
    }

    [Fact]
    public void What_is_newer_there_is_set_back_only_by_force_and_what_is_damaged_there_sent_anew()
    {
        world.Shell("cp -a layout old").Succeeded();
        Thread.Sleep(1100);
        string third = world.CommitUpdate(2);
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        TransferWorld.AssertRefused(world.Run("mirror", world.At("old"), world.At("layout"), "debian/test"), "debian/test is newer there .*--force");
        world.Pull("copy", $"{world.At("layout")}:debian/test");
        world.AssertWhole("copy", third);
        world.Run("mirror", "--force", world.At("old"), world.At("layout"), "debian/test").Succeeded();
        world.On("copy", "pull", "--allow-downgrade", $"{world.At("layout")}:debian/test").Succeeded();
        world.AssertRef("copy", Second);

        world.Shell("f=$(find layout/blobs -type f -size +8M | head -1); printf x | dd of=$f bs=1 seek=5000 conv=notrunc status=none").Succeeded();
        Assert.Equal(0, Run(world.At("old"), world.At("layout"), "debian/test").GetProperty("blobs").GetInt32());
        Assert.InRange(Run("--anew", world.At("old"), world.At("layout"), "debian/test").GetProperty("blobs").GetInt32(), 3, 100);
        Run(world.At("layout"), world.At("again"));
        TransferWorld.AssertRefused(world.Run("mirror", "layout", world.At("again")), "write ./layout for the directory", code: 2);
    }

    [Fact]
    public void A_damaged_blob_is_said_and_the_ref_is_not_set()
    {
        world.Shell("f=$(find layout/blobs -type f -size +8M | head -1); printf x | dd of=$f bs=1 seek=5000 conv=notrunc status=none").Succeeded();
        TransferWorld.AssertRefused(world.Run("mirror", world.At("layout"), world.At("there"), "debian/test"), "another digest");
        TransferWorld.AssertRefused(world.On("copy", "pull", $"{world.At("there")}:debian/test"), "no ref 'debian/test'|no OCI image layout");
    }

    private static string[] Names(JsonElement result) =>
        [.. result.GetProperty("refs").EnumerateArray().Select(each => each.GetProperty("ref").GetString()!)];

    private JsonElement Run(params string[] arguments) => JsonDocument.Parse(world.Run(["mirror", "--json", .. arguments]).Succeeded()).RootElement;
}
