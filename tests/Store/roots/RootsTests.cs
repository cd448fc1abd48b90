using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class RootsTests : IDisposable
{
    private readonly TestStore store = new();
    private readonly ObjectStore opened;
    private readonly RootRecord record;

    public RootsTests()
    {
        opened = store.Open();
        record = new RootRecord
        {
            Path = "r1",
            Commit = Digest.Of("1"u8).ToString(),
            Revision = "debian/\"bookworm\" <ü>",
            Time = 1_700_000_000,
            Method = CheckoutMethod.Reflink,
            State = RootState.Pinned,
        };
    }

    public void Dispose()
    {
        opened.Dispose();
        store.Dispose();
    }

    [Fact]
    public void The_bytes_are_the_formats()
    {
        const string Golden = """
            {
              "path": "r1",
              "commit": "COMMIT",
              "revision": "debian/\"bookworm\" <ü>",
              "time": 1700000000,
              "method": "Reflink",
              "state": "Pinned",
              "inode": 18446744073709551615,
              "born": -2,
              "above": 2,
              "sealed": -1,
              "boot": true,
              "isRoot": false,
              "check": "CHECK"
            }

            """;
        opened.Roots.Write("r1", record with { Inode = ulong.MaxValue, Born = -2, Above = 2, Sealed = -1, Boot = true, IsRoot = false });
        string blank = Golden.Replace("COMMIT", record.Commit).Replace("CHECK", "0000000000000000");
        ulong check = System.IO.Hashing.XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(blank));
        Assert.Equal(blank.Replace("0000000000000000", $"{check:x16}"), File.ReadAllText($"{store.Path}/roots/r1.json"));
    }

    [Fact]
    public void A_record_is_written_found_listed_and_removed()
    {
        opened.Roots.Write("r1", record);
        opened.Roots.Write("r0", record with { Path = "r0", Inode = 12, IsRoot = true, State = RootState.Partial });
        Assert.Equal(["r0", "r1"], opened.Roots.Names());
        Assert.Equal(record, opened.Roots.Find("r1")!);
        Assert.Equal(12UL, opened.Roots.Find("r0")!.Inode);

        // The script that boots a root compares names with it, and does not understand \u.
        opened.Roots.Write("plain", record with { Path = "deb12+1 & 'ü'" });
        Assert.Contains("\"path\": \"deb12+1 & 'ü'\",\n", File.ReadAllText($"{store.Path}/roots/plain.json"));
        opened.Roots.Remove("plain");
        Assert.Contains("\"state\": \"Pinned\"", File.ReadAllText($"{store.Path}/roots/r1.json"));

        opened.Roots.Remove("r1");
        opened.Roots.Remove("r1");
        Assert.Null(opened.Roots.Find("r1"));
        Assert.Equal(["r0"], opened.Roots.Names());
    }

    [Fact]
    public void Any_flipped_bit_is_noticed()
    {
        opened.Roots.Write("r1", record);
        byte[] good = File.ReadAllBytes($"{store.Path}/roots/r1.json");
        for (int bit = 0; bit < good.Length * 8; bit++)
        {
            byte[] bad = [.. good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            File.WriteAllBytes($"{store.Path}/roots/r1.json", bad);
            Assert.Contains("roots/r1.json: damaged", Assert.Throws<CorruptException>(() => opened.Roots.Find("r1")).Message);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"check\": null}")]
    [InlineData("{\"check\": \"\"}")]
    [InlineData("{\"path\": \"r1\", \"commit\": \"x\", \"revision\": \"\", \"time\": 1, \"method\": \"Copy\", \"state\": \"Ready\", \"check\": \"0000000000000000\"}")]
    public void What_is_no_record_is_refused(string text)
    {
        File.WriteAllText($"{store.Path}/roots/r1.json", text);
        Assert.Throws<CorruptException>(() => opened.Roots.Find("r1"));
    }

    [Fact]
    public void A_huge_file_is_refused_unread()
    {
        using (FileStream file = File.Create($"{store.Path}/roots/r1.json"))
        {
            file.SetLength(1L << 40);
        }

        Assert.Throws<CorruptException>(() => opened.Roots.Find("r1"));
    }

    [Fact]
    public void Paths_below_the_physical_root_move_with_it()
    {
        Assert.Equal("a/r1", opened.Roots.RecordedPath(store.At("a/r1")));
        Assert.Equal(store.At("a/r1"), opened.Roots.AbsolutePath(record with { Path = "a/r1" }));
        Assert.Equal("/elsewhere/r1", opened.Roots.RecordedPath("/elsewhere/r1"));
        Assert.Equal("/elsewhere/r1", opened.Roots.AbsolutePath(record with { Path = "/elsewhere/r1" }));
        Assert.Equal("/x/.r1.partial", Roots.PartialPath("/x/r1"));
    }

    [Fact]
    public void Roots_of_one_name_have_records_of_their_own()
    {
        Assert.Equal("r1", opened.Roots.NameFor(store.At("r1")));
        opened.Roots.Write("r1", record);
        Assert.Equal("r1", opened.Roots.NameFor(store.At("r1")));
        string other = opened.Roots.NameFor(store.At("elsewhere/r1"));
        Assert.Matches("^r1-[0-9a-f]{16}$", other);
        Assert.NotEqual(other, opened.Roots.NameFor("/elsewhere/r1"));
        Assert.Matches("^[0-9a-f]{16}$", opened.Roots.NameFor(store.At(new string('x', 250))));
    }
}
