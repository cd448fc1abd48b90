using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Store;

namespace HackTree.Tests.Golden;

/// <summary>
/// Packs that every release must read and write with exactly these bytes. pack.py, which shares no code with HackTree, made them.
/// </summary>
public sealed class PackGoldenTests
{
    private const string Plain = """
        48545041434b310a0000000000000000000000000100000006048001010000000200000000000000ffffffffffffffff6669666f100000000000000024000000
        24000000464fe6458e603e342bc069e1c3faa5e7d7d59105ef9465f07b8db45e3c5321b6f1c3c55e696335c700000000040000002000000001000000746acd0a
        f06fd3dca4c242391b7806580a401afe958cc592007c249f48a7a8c0000000000000000004000000010000004854504b454e4431010000000200000034000000
        000000004c0000000000000047a3cabcf18fd8dc00000000000000000000000000000000ba0cdf965b248548
        """;

    private const string PlainName = "f376fcf9b7869ba336fea3c03e19f4cda69c56a00e1b4431f6c639813ab8b3c0";

    // The first block is compressed, the second is not. Another LZ4 compresses it differently, so only reading it is pinned.
    private const string Packed = """
        48545041434b310a0000000000000000ff816861636b7472656520636f6d6d697420310a74726565203262633036396531633366616135653764376435393130
        35656639343635663037623864623435653363353332316236663163336335356536393633333563370a726f6f7420303735352030203020300a74696d652030
        0a66696c657320300a627974657320300a7375626a656374207061636b65640a0a6101004b5061616161610100000006048001010000000200000000000000ff
        ffffffffffffff6669666f10000000000000009b000000f30000001bcc7bbc6fb43548ab0000000000000020000000200000003d446569242de0032bc069e1c3
        faa5e7d7d59105ef9465f07b8db45e3c5321b6f1c3c55e696335c701000000000000002000000001000000984c3259d77beab91e69e4885e11f75d09e14819aa
        5b90673a0a6fa64c7d979f0000000000000000f3000000020000004854504b454e44310200000002000000cb00000000000000fb00000000000000e84e787498
        968307000000000000000000000000000000004fc0cc43b30833f7
        """;

    private const string PackedName = "be9e297963c7f0098d290e71fce7cb028ae470abec24b29f520faf974e82702f";
    private const string PackedCommit = "984c3259d77beab91e69e4885e11f75d09e14819aa5b90673a0a6fa64c7d979f";

    private static byte[] Fifo
    {
        get
        {
            var builder = new TreeBuilder();
            builder.Add(new TreeEntry { Kind = EntryKind.Fifo, Name = "fifo"u8, Metadata = new FileMetadata(0x180, 1, 2, -1) });
            return builder.Build().Bytes.ToArray();
        }
    }

    [Fact]
    public void What_cannot_be_packed_is_written_as_it_was_ever()
    {
        byte[] pack = TestPack.Write((PackedKind.Tree, Tree.Empty.Bytes.ToArray()), (PackedKind.Tree, Fifo));
        Assert.Equal(Bytes(Plain), pack);
        Assert.Equal(PlainName, Digest.Of(pack).ToString());
    }

    [Fact]
    public void A_plain_pack_is_read()
    {
        Dictionary<Digest, byte[]> objects = TestPack.ReadAll(Bytes(Plain));
        Assert.Equal(2, objects.Count);
        Assert.Equal(Fifo, objects[Tree.DigestOf(Fifo)]);
        Assert.Equal(new byte[4], objects[Tree.DigestOf(Tree.Empty.Bytes)]);
    }

    [Fact]
    public void A_packed_block_is_read()
    {
        byte[] pack = Bytes(Packed);
        Assert.Equal(PackedName, Digest.Of(pack).ToString());
        Dictionary<Digest, byte[]> objects = TestPack.ReadAll(pack);
        Assert.Equal(2, objects.Count);
        Assert.Equal(Fifo, objects[Tree.DigestOf(Fifo)]);
        Assert.True(Digest.TryParse(PackedCommit, out Digest digest));
        Assert.True(Commit.TryDecode(objects[digest], out Commit? commit, out _));
        Assert.Equal(("packed", new string('a', 100), Tree.DigestOf(Fifo)), (commit.Subject, commit.Body, commit.Tree));
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace("\n", "", StringComparison.Ordinal));
}
