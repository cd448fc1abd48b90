using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>What is a place of its own, and what the name of a remote.</summary>
public sealed class RemotePlaceTests : IDisposable
{
    private readonly TransferWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(true, "oci://host:5000/name:debian/bookworm")]
    [InlineData(true, "/layout:debian/bookworm")]
    [InlineData(true, "./layout")]
    [InlineData(true, "..")]
    [InlineData(true, "places/layout")]
    [InlineData(true, "places/layout:debian/bookworm")]
    [InlineData(false, "origin")]
    [InlineData(false, "origin:debian/bookworm")]
    public void What_has_a_slash_before_a_colon_is_a_place(bool isPlace, string text) => Assert.Equal(isPlace, RemotePlace.IsPlace(text));

    [Fact]
    public void A_path_below_this_directory_is_pushed_to_and_pulled_from()
    {
        world.Shell("mkdir places").Succeeded();
        world.Run("push", "debian/test", "places/layout").Succeeded();
        world.Init("other");
        world.Pull("other", "places/layout:debian/test");
        world.AssertWhole("other", world.First);
    }
}
