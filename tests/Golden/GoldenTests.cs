using System.Text;
using HackTree.Model;
using HackTree.Tests.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Golden;

/// <summary>
/// The bytes that a released format may never change. golden.py, which shares no code with HackTree, made them.
/// </summary>
public sealed class GoldenTests
{
    private const string XattrsHex = """
        13 04000000 73656375726974792e6361706162696c697479 00010203
        0a 00000000 757365722e656d707479
        09 02000000 757365722e6e6f7465 00ff
        """;

    private const string XattrsDigest = "37a0f022c484a90a64dcb5ea2a630e7d69b627a7a11f1813b5fd46931d249884";

    // For each entry: kind, name length, mode, uid, gid, xattrs' length, time; the values of its kind; name, xattrs, target.
    private const string TreeHex = """
        06000000
        04 03 9001 00000000 05000000 00000000 0000000000000000  04000000 40000000  636872
        02 03 ff03 00000000 00000000 00000000 ffffffffffffffff
           3772490f916f9552aaf44abb1c0046039eaa558e619f9d8ad48ac9c9af5e49b8  646972
        06 04 8001 e8030000 feffffff 00000000 0100000000000000  6669666f
        03 04 ff01 01000000 02000000 00000000 0000000000000040  08000000  6c696e6b  2e2e2ffe0a746774
        01 07 ed09 e8030000 e8030000 3b000000 00f1536500000000
           0500000000010000 5570a3cf02207f1d352d2cfea385be4bc0b2b9414f606baa6f55db60b232f221  726567756c6172
           13 04000000 73656375726974792e6361706162696c697479 00010203
           0a 00000000 757365722e656d707479
           09 02000000 757365722e6e6f7465 00ff
        05 02 b001 00000000 06000000 00000000 0000000000000080  03010000 ffff0f00  ff0a
        """;

    private const string TreeDigest = "7fd2a63faaf61ce48c8a36e5002fd1f0bbcce93a4332650c75ffa74a5db6aee6";

    private const string CommitText = """
        hacktree commit 1
        tree 7fd2a63faaf61ce48c8a36e5002fd1f0bbcce93a4332650c75ffa74a5db6aee6
        root 0755 0 4294967294 -1
        root-xattrs 130400000073656375726974792e6361706162696c697479000102030a00000000757365722e656d7074790902000000757365722e6e6f746500ff
        parent b2dd72a72c0d0a62fe11a40ae7384aa779653f5e5eb2427dc774a005376adbe7
        parent ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5
        time 1700000000
        files 5
        bytes 1099511627781
        subject Grüße
        meta Arch=amd64
        meta build.id=a=b
        meta empty=

        A body

        of lines 😀
        """;

    private const string CommitDigest = "741590bf0768ce3fcc02d43411d7297ac77235e9dcd05c4b83df308cd3921893";

    private static byte[] Xattrs => XattrSet.Encode(
    [
        ("user.note"u8.ToArray(), [0x00, 0xFF]),
        ("user.empty"u8.ToArray(), []),
        ("security.capability"u8.ToArray(), [0, 1, 2, 3]),
    ]);

    private static TestEntry[] Entries =>
    [
        new(EntryKind.Regular, "regular"u8.ToArray(), new FileMetadata(Octal("4755"), 1000, 1000, 1700000000), Xattrs)
        {
            Size = (1L << 40) + 5,
            Digest = Digest.Of("a blob"u8),
        },
        new(EntryKind.Directory, "dir"u8.ToArray(), new FileMetadata(Octal("1777"), 0, 0, -1), []) { Digest = Digest.Of("a tree"u8) },
        new(EntryKind.Symlink, "link"u8.ToArray(), new FileMetadata(Octal("0777"), 1, 2, 1L << 62), []) { Target = [.. "../"u8, 0xFE, .. "\ntgt"u8] },
        new(EntryKind.CharacterDevice, "chr"u8.ToArray(), new FileMetadata(Octal("0620"), 0, 5, 0), []) { Major = 4, Minor = 64 },
        new(EntryKind.BlockDevice, [0xFF, (byte)'\n'], new FileMetadata(Octal("0660"), 0, 6, long.MinValue), []) { Major = 259, Minor = 1048575 },
        new(EntryKind.Fifo, "fifo"u8.ToArray(), new FileMetadata(Octal("0600"), 1000, uint.MaxValue - 1, 1), []),
    ];

    [Fact]
    public void A_set_of_extended_attributes()
    {
        Assert.Equal(Bytes(XattrsHex), Xattrs);
        Assert.Equal(XattrsDigest, XattrSet.DigestOf(Xattrs).ToString());
    }

    [Fact]
    public void A_tree_with_every_kind_of_entry()
    {
        byte[] golden = Bytes(TreeHex);
        Assert.Equal(golden, TestEntry.Build(Entries).Bytes);
        Assert.Equal(TreeDigest, Tree.DigestOf(golden).ToString());
        Assert.True(Tree.TryDecode(golden, out Tree? tree, out string? error), error);
        foreach (TestEntry entry in Entries)
        {
            Assert.True(tree.Find(entry.Name).SameAs(entry.View));
        }
    }

    [Fact]
    public void The_empty_tree() =>
        Assert.Equal("746acd0af06fd3dca4c242391b7806580a401afe958cc592007c249f48a7a8c0", Tree.DigestOf(Tree.Empty.Bytes).ToString());

    [Fact]
    public void A_commit_with_everything()
    {
        Assert.True(Digest.TryParse(TreeDigest, out Digest tree));
        var commit = new Commit
        {
            Tree = tree,
            RootMetadata = new FileMetadata(Octal("0755"), 0, uint.MaxValue - 1, -1),
            RootXattrs = Xattrs,
            Parents = [Digest.Of("first parent"u8), Digest.Of("another"u8)],
            Time = 1700000000,
            Files = 5,
            ContentBytes = 1099511627781,
            Subject = "Grüße",
            Body = "A body\n\nof lines 😀",
            Annotations = Commit.NoAnnotations.Add("empty", "").Add("build.id", "a=b").Add("Arch", "amd64"),
        };
        Assert.Equal(CommitText, Encoding.UTF8.GetString(commit.Encode()));
        Assert.Equal(CommitDigest, Commit.DigestOf(commit.Encode()).ToString());
        Assert.True(Commit.TryDecode(Encoding.UTF8.GetBytes(CommitText), out Commit? decoded, out string? error), error);
        Assert.Equal(commit.Encode(), decoded.Encode());
    }

    [Theory]
    [InlineData(0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95")]
    [InlineData(1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551")]
    [InlineData(4095, "956ea0b84f7e7eef7459dff1fab1e1b63afa1218cafd912edc74a4920f3a4b1c")]
    [InlineData(4096, "62ea1e9d76372bc1108c156dcc3c9620ef5f8fcf7e44a5360be670345571c2d6")]
    [InlineData(4097, "eb4a46a1cf3ab001929d0d7441e891b8bc4d1806dd6f9a1e65f4aecdd096bafc")]
    [InlineData(524287, "85b55a94c667f3915b20693703d1c7dc41632848cb04271e343ddd7ea27b7c9b")]
    [InlineData(524288, "b094cee4352c64bbcc488696b96382c2664470b28d374db2cdf18e7e604c585f")]
    [InlineData(524289, "207a162b855c6ee60bbdbca44e85c5e28d0dc09bfba57d15089a603da08e51d1")]
    [InlineData(528384, "3a9b81740fc94cac78cbeb7aa5f065cdfdc199d00d80d3931ed227d77c33a960")]
    [InlineData(528385, "de53cae2a27f3abc831a4000085f2edfa678f1d4adb62ca2f146a2b81753698f")]
    [InlineData(1048577, "ba1310990260ad98496cf07093aca62b7be3fb158a168429564e19dc721bb623")]
    [InlineData(67108863, "87b3ad788cf7f509b158aa81dea27fa9812512aa28048415948ac898fe7e81c6")]
    [InlineData(67108864, "fa3e28c8538cf26a815b6f0683c9bfaaf6c4d66cb7af1c3ee17e60865d02ff86")]
    [InlineData(67108865, "e814f370a12a980c726021f22d5a14f5d98b769f1d9fa18669419f053980ed54")]
    public void The_fs_verity_digest_of_a_file(int size, string digest) =>
        Assert.Equal(digest, Verity.Compute(Content.Of(size)).ToString());

    [Theory]
    [InlineData(1L << 26, "382b8844ad09fb5f7b53e0fc27413cd4e72f47d69604dac5d4865e609ba33c53")]
    [InlineData((1L << 26) + 1, "be5993679f703697692cc6ce69e480edc9721baff591795438ae8097275c0687")]
    [InlineData(1L << 33, "00dd23905fe4ddc4dc5b9a5c0d86139377c38361e64f8312da6ef8f461d1b0c5")]
    [InlineData((1L << 33) + 1, "c9edc0b71ef6a67bebfcb5cbceb13f04da52ea3308cf272cff705cd05161020a")]
    [InlineData((1L << 33) + (1L << 19), "8fe27a79b1cca508a9b143ef317e1a1b1a476631f1579d559839bfa54510cff2")]
    [InlineData((1L << 40) + 4097, "ec22b829a9ebb4c89f4268b32e8dee03ca5f403d161c733af67991de0993a562")]
    public void The_fs_verity_digest_of_a_file_of_zeros_too_large_to_be_hashed_here(long size, string digest)
    {
        byte[] zeros = new byte[Verity.SegmentSize];
        byte[] whole = new byte[Digest.Size], last = new byte[Digest.Size];
        Verity.HashSegment(zeros, size, whole);
        Verity.HashSegment(zeros.AsSpan(0, (int)((size - 1) % Verity.SegmentSize) + 1), size, last);
        var tree = new VerityTree(size);
        for (long i = Verity.SegmentCount(size); i > 0; i--)
        {
            tree.Append(i == 1 ? last : whole);
        }

        Assert.Equal(digest, tree.Finish().ToString());
    }

    private static ushort Octal(string mode) => Convert.ToUInt16(mode, 8);

    private static byte[] Bytes(string hex) => Convert.FromHexString(string.Concat(hex.Where(c => !char.IsWhiteSpace(c))));
}
