using System.Buffers.Binary;
using System.Text.Json.Nodes;
using HackTree.Model;
using HackTree.Tests.Support;
using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>A remote that lies: what it gives is refused in one sentence, and nothing of it gets a name.</summary>
public sealed class HostileRemoteTests : IDisposable
{
    private readonly TransferWorld world = new();
    private readonly string layout;

    public HostileRemoteTests()
    {
        layout = world.At("layout");
        world.Run("push", "debian/test", layout).Succeeded();
        world.Init("other");
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(MediaType.Pack)]
    [InlineData(MediaType.Index)]
    public void A_blob_of_another_digest_is_refused(string mediaType)
    {
        Change(Layer(mediaType), bytes => bytes[bytes.Length / 2] ^= 1);
        AssertRefused("another digest");
    }

    [Fact]
    public void A_changed_bundle_changes_no_file()
    {
        foreach (Descriptor bundle in Read().Generations[0].Bundles)
        {
            Change(bundle, bytes => bytes[bytes.Length / 2] ^= 1);
        }

        AssertRefused("does not decompress|something else than the commit's file|another length");
    }

    [Fact]
    public void A_bundle_of_other_files_is_refused()
    {
        // The digests of two blobs change places in the index, so each would become the other.
        Forge(MediaType.Index, bytes =>
        {
            BundleIndex index = BundleIndex.TryDecode(bytes, out _)!;
            int rows = 24 + (index.Bundles.Count * 40) + (index.Frames.Count * 32);
            Span<byte> first = bytes.AsSpan(rows + 32, 8), second = bytes.AsSpan(rows + 40 + 32, 8);
            byte[] saved = first.ToArray();
            second.CopyTo(first);
            saved.CopyTo(second);
            return bytes;
        });
        AssertRefused("something else than the commit's file|another length");
    }

    [Fact]
    public void A_frame_that_grows_is_refused()
    {
        Forge(MediaType.Index, bytes =>
        {
            BundleIndex index = BundleIndex.TryDecode(bytes, out _)!;
            int row = 24 + (index.Bundles.Count * 40);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(row + 24), 64);
            return bytes;
        });
        AssertRefused("do not fit|does not decompress|another length");
    }

    [Fact]
    public void A_bomb_does_not_fill_the_memory()
    {
        // Half a gigabyte of zeros takes 16 kB, and stands in the place of every bundle.
        Tools.Require("zstd");
        byte[] bomb = File.ReadAllBytes(Made("head -c 500000000 /dev/zero | zstd -q -19 --long=27 -o bomb"));
        Forge(MediaType.Index, bytes =>
        {
            BundleIndex index = BundleIndex.TryDecode(bytes, out _)!;
            for (int i = 0; i < index.Bundles.Count; i++)
            {
                Digest.Of(bomb).CopyTo(bytes.AsSpan(24 + (i * 40)));
                BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24 + (i * 40) + 32), bomb.Length);
            }

            for (int i = 0; i < index.Frames.Count; i++)
            {
                Span<byte> row = bytes.AsSpan(24 + (index.Bundles.Count * 40) + (i * 32), 32);
                bool isFirst = i == 0 || index.Frames[i].Bundle != index.Frames[i - 1].Bundle;
                BinaryPrimitives.WriteInt64LittleEndian(row[8..], isFirst ? 0 : bomb.Length - 1);
                BinaryPrimitives.WriteInt64LittleEndian(row[16..], isFirst ? bomb.Length - 1 : 1);
            }

            return bytes;
        });
        ReplaceBundles(bomb);
        ToolResult result = world.Shell($"ulimit -v 100000000; /usr/bin/time -f %M -o used $H --store other pull {layout}:debian/test");
        TransferWorld.AssertRefused(result, "does not decompress|another length|do not fit");
        Assert.InRange(int.Parse(File.ReadAllText(world.At("used")).Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]), 1, 400_000);
        AssertNothing();
    }

    [Fact]
    public void Another_commit_than_the_manifest_says_is_refused()
    {
        Descriptor commit = Read().Commit;
        EditIndex(entry => entry["annotations"]!["vnd.hacktree.commit"] = Digest.Of("x"u8).ToString());
        world.Pull("other", $"{layout}:debian/test");
        world.AssertRef("other", commit.Digest.ToString());
    }

    [Fact]
    public void A_size_that_nobody_could_store_is_refused()
    {
        Generation good = Read().Generations[0];
        ForgeManifest(manifest => manifest with { Generations = [good with { Pack = good.Pack with { Size = long.MaxValue } }] });
        AssertRefused("longer than any that is read");
        ForgeManifest(manifest => manifest with { Generations = [good with { Index = good.Index with { Size = 1L << 40 } }] });
        AssertRefused("are allowed");
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        File.Delete(PathOf(Layer(MediaType.Pack)));
        AssertRefused("is missing there");
        world.Run("push", "--anew", "debian/test", layout).Succeeded();
        world.Pull("other", $"{layout}:debian/test");
        world.AssertWhole("other", world.First);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../../../etc/cron.d/x")]
    [InlineData("-x")]
    public void A_tag_that_is_no_refs_name_is_passed_over(string name)
    {
        EditIndex(entry => entry["annotations"]!["org.opencontainers.image.ref.name"] = name);
        TransferWorld.AssertRefused(world.On("other", "pull", layout), "has no refs");
        AssertNothing();
    }

    private Manifest Read()
    {
        JsonNode entry = Entries().First(entry => (string?)entry!["annotations"]!["org.opencontainers.image.ref.name"] == "debian--test")!;
        string digest = entry["digest"]!.GetValue<string>()["sha256:".Length..];
        return Manifest.TryDecode(File.ReadAllBytes($"{layout}/blobs/sha256/{digest}"), out _)!;
    }

    private Descriptor Layer(string mediaType) => mediaType == MediaType.Pack ? Read().Generations[0].Pack : Read().Generations[0].Index;

    private JsonArray Entries() => JsonNode.Parse(File.ReadAllBytes($"{layout}/index.json"))!["manifests"]!.AsArray();

    private string PathOf(Descriptor blob) => $"{layout}/blobs/sha256/{blob.Digest}";

    private string Made(string script)
    {
        world.Shell(script).Succeeded();
        return world.At("bomb");
    }

    /// <summary>Changes the bytes of a blob, which keeps its name.</summary>
    private void Change(Descriptor blob, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(PathOf(blob));
        change(bytes);
        File.WriteAllBytes(PathOf(blob), bytes);
    }

    /// <summary>Makes another blob of a layer, and a manifest with it: everything has its right digest, as a hostile server would have it.</summary>
    private void Forge(string mediaType, Func<byte[], byte[]> make)
    {
        byte[] bytes = make(File.ReadAllBytes(PathOf(Layer(mediaType))));
        var forged = Descriptor.Of(mediaType, bytes);
        File.WriteAllBytes(PathOf(forged), bytes);
        ForgeManifest(manifest => manifest with { Generations = [manifest.Generations[0] with { Index = forged }] });
    }

    private void ReplaceBundles(byte[] content)
    {
        var bundle = Descriptor.Of(MediaType.Bundle, content);
        File.WriteAllBytes(PathOf(bundle), content);
        ForgeManifest(manifest => manifest with { Generations = [manifest.Generations[0] with { Bundles = [bundle] }] });
    }

    private void ForgeManifest(Func<Manifest, Manifest> make)
    {
        byte[] bytes = make(Read()).Encode();
        var forged = Descriptor.Of(MediaType.Manifest, bytes);
        File.WriteAllBytes(PathOf(forged), bytes);
        EditIndex(entry => (entry["digest"], entry["size"]) = (forged.DigestText, forged.Size));
    }

    private void EditIndex(Action<JsonNode> edit)
    {
        JsonNode index = JsonNode.Parse(File.ReadAllBytes($"{layout}/index.json"))!;
        foreach (JsonNode? entry in index["manifests"]!.AsArray())
        {
            edit(entry!);
        }

        File.WriteAllText($"{layout}/index.json", index.ToJsonString());
    }

    private void AssertRefused(string pattern)
    {
        TransferWorld.AssertRefused(world.On("other", "pull", $"{layout}:debian/test"), $"({pattern})");
        AssertNothing();
    }

    /// <summary>No ref was set, and every object that is there is what its name says.</summary>
    private void AssertNothing()
    {
        Assert.Empty(world.Refs("other"));
        world.On("other", "fsck").Succeeded();
    }
}
