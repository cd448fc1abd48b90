using System.Text;
using CsCheck;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>The bytes of transfer/FORMAT.md.</summary>
public sealed class WireTests
{
    private static readonly Gen<string> RefNames =
        Gen.Char["abcXYZ019._+@-/"].Array[1, 40].Select(characters => new string(characters)).Where(RefName.IsAllowed);

    [Fact]
    public void A_tag_is_one_refs_tag_alone() => RefNames.Sample(name =>
    {
        string tag = TagName.OfRef(name);
        Assert.Matches("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", tag);
        Assert.Equal(name, TagName.RefOf(tag));
    });

    [Theory]
    [InlineData("debian/bookworm", "debian--bookworm")]
    [InlineData("my-ref", "my-ref")]
    [InlineData("a-/b", "a_m--b")]
    [InlineData("a--b", "a_m_mb")]
    [InlineData("with_all+of@them", "with_uall_pof_athem")]
    public void Tags_are_as_the_format_says(string name, string tag) => Assert.Equal(tag, TagName.OfRef(name));

    [Fact]
    public void A_commits_tag_is_no_refs() => Assert.Null(TagName.RefOf(TagName.OfCommit(Digest.Of("x"u8))));

    [Fact]
    public void A_ref_that_is_too_long_is_refused() =>
        Assert.Contains("too long", Assert.Throws<StoreException>(() => TagName.OfRef(string.Join('/', Enumerable.Repeat("aaaa", 30)))).Message);

    [Fact]
    public void A_manifest_has_these_bytes()
    {
        Generation generation = new(Of(MediaType.Pack, "p"), Of(MediaType.Index, "i"), [Of(MediaType.Bundle, "b")]);
        Manifest manifest = new(Of(MediaType.Commit, "c"), [generation], 1_700_000_000);
        string text = Encoding.UTF8.GetString(manifest.Encode());
        Assert.Equal(
            """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.hacktree.commit.v1",
            "config":{"mediaType":"application/vnd.hacktree.commit.v1+text",
            "digest":"sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6","size":1},
            "layers":[{"mediaType":"application/vnd.hacktree.pack.v1",
            "digest":"sha256:148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940","size":1},
            {"mediaType":"application/vnd.hacktree.index.v1",
            "digest":"sha256:de7d1b721a1e0632b7cf04edf5032c8ecffa9f9a08492152b926f1a5a7e765d7","size":1},
            {"mediaType":"application/vnd.hacktree.bundle.v1",
            "digest":"sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d","size":1}],
            "annotations":{"org.opencontainers.image.created":"2023-11-14T22:13:20Z"}}
            """.ReplaceLineEndings(""),
            text);
        Manifest read = Manifest.TryDecode(manifest.Encode(), out _)!;
        Assert.Equal(text, Encoding.UTF8.GetString(read.Encode()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"artifactType":7}""")]
    [InlineData("""{"artifactType":"application/vnd.hacktree.commit.v1"}""")]
    [InlineData("""{"artifactType":"application/vnd.hacktree.commit.v1","config":{},"layers":[]}""")]
    [InlineData("""{"artifactType":"application/vnd.hacktree.commit.v1","config":{"mediaType":"x","digest":"sha256:00","size":1},"layers":[]}""")]
    public void What_is_no_manifest_is_refused(string text) => Assert.Null(Manifest.TryDecode(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void An_index_has_these_bytes()
    {
        var blob = Digest.Of("blob"u8);
        byte[] bytes = BundleIndex.Encode([new BundleName(Digest.Of("bundle"u8), 100)], [new Frame(0, 10, 20, 30)], [(blob, new BlobPlace(0, 5))]);
        Assert.Equal(
            "4854494E44455831" + "01000000" + "01000000" + "01000000" + "00000000"
            + Hex(Digest.Of("bundle"u8)) + "6400000000000000"
            + "00000000" + "00000000" + "0A00000000000000" + "1400000000000000" + "1E00000000000000"
            + Hex(blob) + "00000000" + "05000000",
            Convert.ToHexString(bytes));
        BundleIndex index = BundleIndex.TryDecode(bytes, out _)!;
        Assert.True(index.TryFind(blob, out BlobPlace place));
        Assert.Equal(new BlobPlace(0, 5), place);
        Assert.False(index.TryFind(Digest.Of("other"u8), out _));
    }

    [Fact]
    public void Every_blob_of_an_index_is_found() => Gen.Int[1, 300].Sample(count =>
    {
        (Digest Blob, BlobPlace Place)[] blobs = [.. Enumerable.Range(0, count).Select(i => (Digest.Of(BitConverter.GetBytes(i)), new BlobPlace(0, i)))];
        BundleIndex index = BundleIndex.TryDecode(BundleIndex.Encode([new BundleName(default, 1000)], [new Frame(0, 0, 1000, 1000)], blobs), out _)!;
        Assert.All(blobs, blob => Assert.True(index.TryFind(blob.Blob, out BlobPlace place) && place == blob.Place));
    });

    [Fact]
    public void A_changed_index_is_refused_or_harmless()
    {
        byte[] good = BundleIndex.Encode(
            [new BundleName(Digest.Of("1"u8), 500), new BundleName(Digest.Of("2"u8), 700)],
            [new Frame(0, 0, 200, 900), new Frame(0, 200, 300, 3_000_000), new Frame(1, 0, 700, 800)],
            [
                (Digest.Of("a"u8), new BlobPlace(0, 0)),
                (Digest.Of("b"u8), new BlobPlace(0, 100)),
                (Digest.Of("c"u8), new BlobPlace(1, 0)),
                (Digest.Of("d"u8), new BlobPlace(2, 0)),
            ]);
        Assert.NotNull(BundleIndex.TryDecode(good, out _));
        (from at in Gen.Int[0, good.Length - 1] from value in Gen.Byte select (at, value)).Sample(change =>
        {
            byte[] bytes = [.. good];
            bytes[change.at] = change.value;
            if (BundleIndex.TryDecode(bytes, out _) is { } index)
            {
                Assert.All(index.Frames, frame => Assert.InRange(frame.End, 1, index.Bundles[frame.Bundle].Length));
            }
        });
        Assert.All(Enumerable.Range(0, good.Length), length => Assert.Null(BundleIndex.TryDecode(good.AsMemory(0, length), out _)));
    }

    [Theory]
    [InlineData("oci://127.0.0.1:5000/name:debian/test", "oci://127.0.0.1:5000/name", "debian/test")]
    [InlineData("https://host/path:ref", "https://host/path", "ref")]
    [InlineData("https://host:80/path", "https://host:80/path", null)]
    [InlineData("file:///srv/x:a/b", "file:///srv/x", "a/b")]
    [InlineData("./layout:a", "./layout", "a")]
    [InlineData("origin:a/b", "origin", "a/b")]
    [InlineData("origin", "origin", null)]
    public void A_place_is_cut_from_the_ref(string text, string place, string? name) => Assert.Equal((place, name), RemotePlace.Split(text));

    [Theory]
    [InlineData("ftp://host/x")]
    [InlineData("oci://host")]
    [InlineData("oci://host/UPPER")]
    [InlineData("oci:///x")]
    [InlineData("https://user:secret@host/x")]
    [InlineData("file://host/x")]
    public void What_is_no_place_is_refused(string text) => Assert.Throws<StoreException>(() => RemotePlace.Parse(text));

    private static Descriptor Of(string mediaType, string content) => Descriptor.Of(mediaType, Encoding.ASCII.GetBytes(content));

    private static string Hex(Digest digest) => digest.ToString().ToUpperInvariant();
}
