using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

public sealed class StoreFormatTests
{
    // The same bytes for ever: a store made today must open in ten years.
    private const string Golden = """
        {
          "hacktree": 1,
          "compatible": [],
          "readOnlyCompatible": [],
          "incompatible": [],
          "keepTimes": false,
          "userMode": true,
          "check": "CHECK"
        }

        """;

    [Fact]
    public void What_was_encoded_is_decoded_again()
    {
        var format = new StoreFormat { KeepTimes = false, UserMode = true, Compatible = ["later"] };
        StoreFormat again = StoreFormat.Decode(format.Encode(), "/s");
        Assert.Equal((1, false, true), (again.Version, again.KeepTimes, again.UserMode));
        Assert.Equal(["later"], again.Compatible);
        Assert.Equal(again.Encode(), format.Encode());
    }

    [Fact]
    public void The_bytes_are_the_formats()
    {
        string text = Encoding.UTF8.GetString(new StoreFormat { KeepTimes = false, UserMode = true }.Encode());
        string blank = Golden.Replace("CHECK", "0000000000000000");
        ulong check = System.IO.Hashing.XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(blank));
        Assert.Equal(Golden.Replace("CHECK", $"{check:x16}"), text);
    }

    [Fact]
    public void Any_flipped_bit_is_noticed()
    {
        byte[] good = new StoreFormat { Compatible = ["a"] }.Encode();
        for (int bit = 0; bit < good.Length * 8; bit++)
        {
            byte[] bad = [.. good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.ThrowsAny<StoreException>(() => StoreFormat.Decode(bad, "/s"));
        }
    }

    [Fact]
    public void Any_lost_end_is_noticed()
    {
        byte[] good = new StoreFormat().Encode();
        for (int length = 0; length < good.Length; length++)
        {
            Assert.Throws<CorruptException>(() => StoreFormat.Decode(good.AsSpan(0, length), "/s"));
        }
    }

    [Theory]
    [InlineData("{\"hacktree\": 2}")]
    [InlineData("{\"hacktree\": 2147483647, \"anything\": [1, 2, {}], \"check\": 7}")]
    public void A_newer_version_is_told_whatever_else_is_in_it(string text)
    {
        StoreException e = Assert.Throws<StoreException>(() => StoreFormat.Decode(Encoding.UTF8.GetBytes(text), "/s"));
        Assert.Contains("newer hacktree", e.Message);
        Assert.Contains("/s", e.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("\"x\"")]
    [InlineData("{}")]
    [InlineData("{\"hacktree\": null}")]
    [InlineData("{\"hacktree\": \"2\"}")]
    [InlineData("{\"hacktree\": 99999999999999}")]
    [InlineData("{\"hacktree\": 0}")]
    [InlineData("{\"hacktree\": -1}")]
    [InlineData("{\"hacktree\": 1, \"incompatible\": null, \"check\": \"0000000000000000\"}")]
    public void What_is_no_format_is_told(string text) =>
        Assert.Contains("/s/format: damaged", Assert.Throws<CorruptException>(() => StoreFormat.Decode(Encoding.UTF8.GetBytes(text), "/s")).Message);

    [Fact]
    public void Unknown_features_are_refused_where_they_matter()
    {
        byte[] incompatible = new StoreFormat { Incompatible = ["quantum", "other"] }.Encode();
        UnknownFeatureException e = Assert.Throws<UnknownFeatureException>(() => StoreFormat.Decode(incompatible, "/s"));
        Assert.Equal(("/s", FeatureSet.Incompatible), (e.Store, e.Set));
        Assert.Equal(["quantum", "other"], e.Features);
        Assert.Equal("/s: to read this store a program must know quantum, other", e.Message);
        Assert.IsType<Remedy.UseNewerProgram>(e.Remedy);
        Assert.Equal(["x"], StoreFormat.Decode(new StoreFormat { ReadOnlyCompatible = ["x"] }.Encode(), "/s").ReadOnlyCompatible);

        using var directory = new TempDirectory();
        string path = directory.At("objects");
        ObjectStore.Create(path, new StoreFormat { UserMode = !Sys.IsRoot, ReadOnlyCompatible = ["x"] });
        using ObjectStore store = ObjectStore.Open(path, stop: TestContext.Current.CancellationToken);
        Assert.Contains("to write to this store a program must know x", Assert.Throws<UnknownFeatureException>(store.RequireWritable).Message);
        Assert.Throws<UnknownFeatureException>(() => Collect.Run(store, new CollectOptions()));
        Assert.Equal(0, Collect.Run(store, new CollectOptions { DryRun = true }).LiveCommits);
    }

    [Fact]
    public void A_feature_is_known_by_its_name_and_its_list()
    {
        KnownFeature[] known = [new("a", FeatureSet.Incompatible), new("b", FeatureSet.ReadOnlyCompatible)];
        Assert.Empty(KnownFeatures.Unknown(["a"], FeatureSet.Incompatible, known));
        Assert.Equal(["b", "c"], KnownFeatures.Unknown(["a", "b", "c"], FeatureSet.Incompatible, known));
        Assert.Equal(["a"], KnownFeatures.Unknown(["a", "b"], FeatureSet.ReadOnlyCompatible, known));
    }

    [Fact]
    public void A_users_store_keeps_what_a_user_can_set()
    {
        var format = new StoreFormat { UserMode = true };
        var recorded = new FileMetadata(0x800 | 0x1ED, 5, 6, 7);
        Assert.Equal(new FileMetadata(0x1ED, 0, 0, 7), format.ObjectMetadata(recorded));
        Assert.Equal(0x100, format.ObjectMetadata(recorded with { Mode = 0 }).Mode);
        Assert.Equal(recorded, new StoreFormat().ObjectMetadata(recorded));
        byte[] both = XattrSet.Encode([("security.capability"u8.ToArray(), [1]), ("user.a"u8.ToArray(), [2])]);
        byte[] one = XattrSet.Encode([("user.a"u8.ToArray(), [2])]);
        Assert.Equal(one, format.ObjectXattrs(both).ToArray());
        Assert.Equal(both, new StoreFormat().ObjectXattrs(both).ToArray());
    }

    [Fact]
    public void Opening_tells_what_is_wrong_with_a_path()
    {
        using var directory = new TempDirectory();
        Assert.Contains("there is no store", Assert.Throws<StoreException>(() => ObjectStore.Open(directory.Path, stop: TestContext.Current.CancellationToken)).Message);
        Assert.Contains("there is no store", Assert.Throws<StoreException>(() => ObjectStore.Open(directory.At("none"), stop: TestContext.Current.CancellationToken)).Message);
        Assert.Contains("there is no store", Assert.Throws<StoreException>(() => ObjectStore.Open(directory.Write("file", "x"u8), stop: TestContext.Current.CancellationToken)).Message);
        Assert.Contains("not empty", Assert.Throws<StoreException>(() => ObjectStore.Create(directory.Path, new StoreFormat { UserMode = true })).Message);
        ObjectStore.Create(directory.At("s"), new StoreFormat { UserMode = true });
        Assert.Contains("there is a store already", Assert.Throws<StoreException>(() => ObjectStore.Create(directory.At("s"), new StoreFormat { UserMode = true })).Message);
    }
}
