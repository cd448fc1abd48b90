using System.Buffers.Binary;
using System.Text.Json;
using HackTree.Model;
using HackTree.Tests.Support;
using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>Deltas: on a remote, and as files.</summary>
public sealed class DeltaTests : IDisposable
{
    private readonly TransferWorld world = new();
    private readonly string layout;
    private readonly string second;

    public DeltaTests()
    {
        layout = world.At("layout");
        world.Run("push", "debian/test", layout).Succeeded();
        world.Init("other");
        world.Pull("other", $"{layout}:debian/test");
        second = Update();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_delta_is_used_and_says_so()
    {
        JsonElement pushed = Push();
        Assert.Equal(1, pushed.GetProperty("deltas").GetInt32());
        JsonElement dry = world.Pull("other", "--dry-run", $"{layout}:debian/test");
        JsonElement pulled = world.Pull("other", $"{layout}:debian/test");
        Assert.Equal(world.First, pulled.GetProperty("deltaFrom").GetString());
        Assert.Equal(world.First, dry.GetProperty("deltaFrom").GetString());
        Assert.Equal(5, pulled.GetProperty("blobs").GetInt32());
        Assert.Equal(3, pulled.GetProperty("requests").GetInt32());
        Assert.InRange(pulled.GetProperty("bytes").GetInt64(), 1, 100_000);
        world.AssertWhole("other", second);
    }

    [Fact]
    public void The_same_push_makes_the_same_delta_and_three_commits_have_one_each()
    {
        Push();
        OfferedDelta first = Assert.Single(Read().Deltas);
        Push("--anew");
        Assert.Equal(first, Assert.Single(Read().Deltas));
        foreach (string _ in (string[])["third", "fourth"])
        {
            Update();
            Push();
        }

        string fifth = Update();
        Push();
        Assert.Equal(3, Read().Deltas.Count);

        // The oldest of the commits is four behind, and gets everything from the bundles.
        JsonElement plain = world.Pull("other", $"{layout}:debian/test");
        Assert.Equal(JsonValueKind.Null, plain.GetProperty("deltaFrom").ValueKind);
        world.AssertWhole("other", fifth);
    }

    [Fact]
    public void None_is_made_or_used_if_nobody_wants_one()
    {
        Push();
        JsonElement pulled = world.Pull("other", "--no-delta", $"{layout}:debian/test");
        Assert.Equal(JsonValueKind.Null, pulled.GetProperty("deltaFrom").ValueKind);
        world.AssertWhole("other", second);
        Update();
        Assert.Equal(0, Push("--deltas", "0").GetProperty("deltas").GetInt32());
        Assert.Empty(Read().Deltas);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_file_of_which_only_the_metadata_changed_is_not_fetched(bool isDamaged)
    {
        Push();
        world.Pull("other", $"{layout}:debian/test");
        string third = world.Shell("chmod 640 tree/srv/middle tree/srv/large tree/usr/lib/file7; $H commit -q -b debian/test tree").Succeeded().Trim();
        Push();
        world.Shell(isDamaged ? "f=$(find other/files -type f -size +8M | head -1); printf x | dd of=$f conv=notrunc status=none" : ":").Succeeded();
        JsonElement pulled = world.Pull("other", "--no-delta", $"{layout}:debian/test");
        Assert.InRange(pulled.GetProperty("bytes").GetInt64(), 1, isDamaged ? 30_000_000 : 2_000_000);
        world.AssertRef("other", third);
        Assert.Equal(
            world.Shell("$H export debian/test --tar - | sha256sum").Succeeded(),
            world.Shell("$H --store other export debian/test --tar - | sha256sum").Succeeded());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(100)]
    public void A_damaged_delta_does_no_harm(int offset)
    {
        Push();
        OfferedDelta delta = Read().Deltas[0];
        string path = Path.Combine(layout, "blobs", "sha256", delta.Descriptor.Digest.ToString());
        byte[] bytes = File.ReadAllBytes(path);
        bytes[offset < 0 ? ^1 : offset] ^= 1;
        File.WriteAllBytes(path, bytes);
        world.Pull("other", $"{layout}:debian/test");
        world.AssertWhole("other", second);
    }

    [Fact]
    public void A_base_that_is_gone_does_no_harm()
    {
        Push();
        world.Shell("find other/files -type f -size +600k -delete").Succeeded();
        world.Pull("other", $"{layout}:debian/test");

        // What the old commit lacks and the new one has too, the pull has brought.
        Assert.Equal(
            world.Shell("$H export debian/test --tar - | sha256sum").Succeeded(),
            world.Shell("$H --store other export debian/test --tar - | sha256sum").Succeeded());
    }

    [Fact]
    public void A_file_carries_an_update_and_its_signatures()
    {
        world.Shell("""
            ssh-keygen -q -t ed25519 -N '' -f key; echo "me namespaces=\"hacktree\" $(cat key.pub)" > keys
            $H sign -q debian/test --sign-key key
            $H delta make debian/test^ debian/test -o update.delta; $H delta make debian/test^ debian/test -o again; cmp update.delta again
            $H delta make debian/test^ debian/test -o - | cmp update.delta -; test ! -e ./-
            """).Succeeded();
        Assert.InRange(new FileInfo(world.At("update.delta")).Length, 1, 100_000);
        var result = JsonDocument.Parse(
            world.On("other", "delta", "apply", "--json", "--require-signature", "--keys", world.At("keys"), world.At("update.delta"), "-b", "debian/test").Succeeded());
        Assert.Equal(second, result.RootElement.GetProperty("to").GetString());
        world.AssertWhole("other", second);
        Assert.Contains("me", world.On("other", "verify", "--keys", world.At("keys"), "debian/test").Succeeded());
        world.On("other", "delta", "apply", world.At("update.delta"), "-b", "debian/test").Succeeded();
        TransferWorld.AssertRefused(
            world.Shell("$H delta make -q debian/test debian/test^ -o back; $H --store other delta apply back -b debian/test"), "older than .*--allow-downgrade");
    }

    [Fact]
    public void A_commit_that_was_made_here_is_not_lost_by_a_file()
    {
        world.Shell("$H delta make -q debian/test^ debian/test -o update.delta; mkdir own; $H --store other commit -q -b debian/test own").Succeeded();
        string[] apply = ["delta", "apply", world.At("update.delta"), "-b", "debian/test"];
        TransferWorld.AssertRefused(world.On("other", apply), "debian/test is commit .* here.*--force");
        world.On("other", [.. apply, "--force"]).Succeeded();
        world.AssertWhole("other", second);
    }

    [Fact]
    public void What_a_file_lacks_is_said()
    {
        world.Shell("$H delta make debian/test^ debian/test -o update.delta; head -c -100 update.delta > short; head -c 50 update.delta > shorter").Succeeded();
        world.Init("empty");
        Refused("update.delta", "empty", "delta from commit .*, which this store does not have");
        Refused("short", "other", "no whole delta|do not fit");
        Refused("shorter", "other", "no delta");
        Refused("missing", "other", "missing");
        TransferWorld.AssertRefused(
            world.On("other", "delta", "apply", "--require-signature", "--keys", "/dev/null", world.At("update.delta"), "-b", "debian/test"), "has no keys");
        world.AssertRef("other", world.First);

        void Refused(string file, string store, string pattern) =>
            TransferWorld.AssertRefused(world.On(store, "delta", "apply", world.At(file), "-b", "debian/test"), pattern);
    }

    [Fact]
    public void No_byte_of_a_delta_can_make_another_file()
    {
        world.Shell("$H delta make debian/test^ debian/test -o update.delta").Succeeded();
        byte[] whole = File.ReadAllBytes(world.At("update.delta"));
        var random = new Random(7);
        for (int i = 0; i < 30; i++)
        {
            byte[] changed = [.. whole];
            int place = i < 12 ? random.Next(100) : random.Next(changed.Length);
            changed[place] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(world.At("changed"), changed);
            ToolResult result = world.On("other", "delta", "apply", world.At("changed"), "-b", $"test{i}");

            // The store is whole.
            Assert.DoesNotContain("fsck", result.Error, StringComparison.Ordinal);
            if (result.ExitCode == 0)
            {
                Assert.Equal(second, JsonDocument.Parse(world.On("other", "show", "--json", $"test{i}").Succeeded()).RootElement.GetProperty("commit").GetString());
            }
            else
            {
                TransferWorld.AssertRefused(result, "");
            }
        }

        world.On("other", "fsck").Succeeded();
    }

    [Fact]
    public void Zstd_itself_decodes_a_frame()
    {
        Tools.Require("zstd");
        world.Shell("$H delta make debian/test^ debian/test -o update.delta; $H cat debian/test^ /srv/middle > old; $H cat debian/test /srv/middle > new").Succeeded();
        byte[] bytes = File.ReadAllBytes(world.At("update.delta"));
        DeltaHead head = DeltaHead.TryRead(new MemoryStream(bytes), out _)!;
        long offset = head.Length + head.PackLength;
        foreach (DeltaFrame frame in head.Frames)
        {
            if (frame.HasBase && frame.RawLength == new FileInfo(world.At("new")).Length)
            {
                File.WriteAllBytes(world.At("frame"), bytes.AsSpan((int)offset, (int)frame.StoredLength).ToArray());
                world.Shell("zstd -q -d --patch-from=old frame -o decoded; cmp decoded new").Succeeded();
                return;
            }

            offset += frame.StoredLength;
        }

        Assert.Fail("no frame has the file");
    }

    [Fact]
    public void A_delta_has_these_bytes()
    {
        var frame = new DeltaFrame(Digest.Of("base"u8), 5, 6, 7, [(Digest.Of("blob"u8), 0)]);
        var head = new DeltaHead(Digest.Of("from"u8), Digest.Of("to"u8), 9, [frame], "s"u8.ToArray());
        byte[] bytes = head.Encode();
        Assert.Equal(
            "485444454C544131" + Hex(Digest.Of("from"u8)) + Hex(Digest.Of("to"u8)) + "01000000" + "01000000" + "01000000" + "00000000"
            + "0900000000000000"
            + Hex(Digest.Of("base"u8)) + "0500000000000000" + "0600000000000000" + "0700000000000000" + "01000000" + "00000000"
            + Hex(Digest.Of("blob"u8)) + "00000000" + "00000000" + "73",
            Convert.ToHexString(bytes));
        byte[] whole = [.. bytes, .. new byte[9 + 6]];
        Assert.Equal(bytes, DeltaHead.TryRead(new MemoryStream(whole), out _)!.Encode());
        foreach ((int place, int value) in ((int, int)[])[(72, 2), (76, 2), (84, 1), (88, 10), (96 + 40, 5), (96 + 56, 0), (96 + 60, 1), (160 + 32, 1), (160 + 36, 1)])
        {
            byte[] wrong = [.. whole];
            BinaryPrimitives.WriteInt32LittleEndian(wrong.AsSpan(place), value);
            Assert.Null(DeltaHead.TryRead(new MemoryStream(wrong), out _));
        }
    }

    private static string Hex(Digest digest) => digest.ToString().ToUpperInvariant();

    /// <summary>Commits a tree in which few bytes of some files are others. Returns the commit.</summary>
    private string Update() => world.Shell("""
        set -e
        for f in srv/middle srv/middle2 srv/large usr/lib/file3 usr/lib/file50; do
          printf 'another' | dd of=tree/$f bs=1 seek=100 conv=notrunc status=none; date +%N >> tree/$f
        done
        find tree -exec touch -h -d '2024-05-06 07:08:09Z' {} +
        $H commit -q -b debian/test tree
        """).Succeeded().Trim();

    private JsonElement Push(params string[] options) =>
        JsonDocument.Parse(world.Run(["push", "--json", "debian/test", layout, .. options]).Succeeded()).RootElement.GetProperty("refs")[0];

    private Manifest Read()
    {
        JsonElement manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(layout, "index.json"))).RootElement.GetProperty("manifests").EnumerateArray()
            .First(entry => entry.GetProperty("annotations").GetProperty("org.opencontainers.image.ref.name").GetString() == "debian--test");
        string digest = manifest.GetProperty("digest").GetString()!["sha256:".Length..];
        return Manifest.TryDecode(File.ReadAllBytes(Path.Combine(layout, "blobs", "sha256", digest)), out _)!;
    }
}
