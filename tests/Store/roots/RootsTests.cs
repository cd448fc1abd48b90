using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class RootsTests : IDisposable
{
    private static readonly RootRecord Pinned = new()
    {
        Path = "r1",
        Commit = Digest.Of("1"u8),
        Revision = "debian/\"bookworm\" <ü>",
        Time = 1_700_000_000,
        Method = CheckoutMethod.Reflink,
        State = RootState.Pinned,
    };

    private static readonly BuildRecord Build = new()
    {
        Path = "r1",
        Commit = Digest.Of("1"u8),
        Revision = "one",
        Time = 1_700_000_000,
        Method = CheckoutMethod.Copy,
        BecomesRoot = false,
    };

    private readonly TestStore store = new();
    private readonly ObjectStore opened;

    public RootsTests() => opened = store.Open();

    public void Dispose()
    {
        opened.Dispose();
        store.Dispose();
    }

    [Fact]
    public void The_bytes_of_a_roots_record_are_the_formats()
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
              "check": "CHECK"
            }

            """;
        opened.Record("r1", Pinned with { Directory = new DirectoryIdentity(ulong.MaxValue, Born: -2), Above = 2, SealedAt = -1, OwnsEtc = true });
        Assert.Equal(Checked(Golden), File.ReadAllText($"{store.Path}/roots/r1.json"));
    }

    [Fact]
    public void The_bytes_of_a_build_record_are_the_formats()
    {
        const string Golden = """
            {
              "path": "r1",
              "commit": "COMMIT",
              "revision": "one",
              "time": 1700000000,
              "method": "Copy",
              "state": "Partial",
              "inode": 5,
              "born": 6,
              "above": 2,
              "boot": true,
              "isRoot": true,
              "check": "CHECK"
            }

            """;
        opened.Record("r1", Build with { Directory = new DirectoryIdentity(5, Born: 6), Above = 2, OwnsEtc = true, BecomesRoot = true });
        Assert.Equal(Checked(Golden), File.ReadAllText($"{store.Path}/roots/r1.partial.json"));
    }

    [Fact]
    public void Records_are_written_found_listed_and_deleted()
    {
        opened.Record("r1", Pinned);
        opened.Record("r1", Build);
        Assert.Equal(["r1", "r1.partial"], opened.Roots.Names());
        Assert.Equal(Pinned, opened.Roots.Find("r1"));
        Assert.Equal(Build, opened.Roots.Read("r1.partial"));
        Assert.Null(opened.Roots.Find("r1.partial"));
        Assert.Equal(("r1", Pinned), Assert.Single(opened.Roots.Finished()));

        using RootTurn turn = opened.Roots.TakeTurn("r1", "r1");
        turn.DeleteRecord();
        turn.DeleteRecord();
        Assert.Null(opened.Roots.Find("r1"));
        Assert.Equal(["r1.partial"], opened.Roots.Names());
        turn.DeleteBuildRecord();
        Assert.Empty(opened.Roots.Names());
    }

    [Fact]
    public void A_name_is_written_as_it_is()
    {
        // The script that boots a root compares names with it, and knows no \u.
        const string Name = "deb12+1 & 'ü'";
        opened.Record(Name, Pinned with { Path = Name });
        Assert.Contains($"\"path\": \"{Name}\",\n", File.ReadAllText($"{store.Path}/roots/{Name}.json"));
    }

    [Fact]
    public void A_record_is_only_written_by_who_has_the_turn_of_its_name()
    {
        RootTurn turn = opened.Roots.TakeTurn("r1", "r1");
        Assert.Throws<StoreException>(() => opened.Roots.TakeTurn("r1", "r1"));
        Assert.False(opened.Roots.TryTakeTurnAt(store.At("r1"), out _));
        Assert.Throws<InvalidOperationException>(() => turn.Write(Pinned with { Path = "r2" }));
        turn.Write(Pinned);
        turn.Dispose();
        Assert.Throws<ObjectDisposedException>(() => turn.Write(Pinned));
        Assert.Throws<ObjectDisposedException>(() => turn.Write(Build, inOrder: true));
        Assert.Throws<ObjectDisposedException>(turn.DeleteRecord);
        Assert.Equal(Pinned, opened.Roots.Find("r1"));
        Assert.Empty(store.Files("tmp"));
    }

    [Fact]
    public void A_record_that_could_not_be_read_again_is_not_written()
    {
        using RootTurn turn = opened.Roots.TakeTurn("r1", "r1");
        Assert.Throws<InvalidOperationException>(() => turn.Write(Pinned with { SealedAt = 1 }));
        Assert.Empty(opened.Roots.Names());
    }

    [Theory]
    [InlineData("")]
    [InlineData("'inode': 5")]
    [InlineData("'inode': 5, 'sealed': 6")]
    [InlineData("'inode': 5, 'born': 6, 'above': 7, 'sealed': 8, 'boot': true")]
    public void Records_of_every_age_are_read(string more)
    {
        // gc once wrote none of these; programs before 26 November 2026 knew neither "born" nor "above".
        WriteText("r1", $"{Common}, 'state': 'Ready'{Comma(more)}");
        RootRecord record = opened.Roots.Find("r1")!;
        Assert.Equal(more.Contains("inode"), record.Directory is not null);
        Assert.Equal(more.Contains("sealed"), record.SealedAt is not null);
        Assert.Equal(more.Contains("above"), record.Above is not null);
        Assert.Equal(more.Contains("boot"), record.OwnsEtc);
    }

    [Theory]
    [InlineData("r1", "'state': 'Partial', 'isRoot': true")]
    [InlineData("r1", "'state': 'Ready', 'isRoot': true")]
    [InlineData("r1", "'state': 'Ready', 'sealed': 1")]
    [InlineData("r1", "'state': 'Ready', 'born': 1")]
    [InlineData("r1", "'state': 'Ready', 'boot': false")]
    [InlineData("r1", "'state': 'Ready', 'inode': -1")]
    [InlineData("r1", "'state': 'Other'")]
    [InlineData("r1", "'inode': 5")]
    [InlineData("r1.partial", "'state': 'Partial'")]
    [InlineData("r1.partial", "'state': 'Ready', 'isRoot': true")]
    [InlineData("r1.partial", "'state': 'Partial', 'isRoot': 1")]
    [InlineData("r1.partial", "'state': 'Partial', 'isRoot': true, 'inode': 5, 'sealed': 1")]
    [InlineData("r1.partial", "'state': 'Partial', 'isRoot': true, 'born': 1")]
    public void Combinations_that_no_program_writes_are_refused(string name, string properties)
    {
        WriteText(name, $"{Common}, {properties}");
        Assert.Contains($"roots/{name}.json: damaged", Assert.Throws<CorruptException>(() => opened.Roots.Read(name)).Message);
    }

    [Theory]
    [InlineData("path")]
    [InlineData("commit")]
    [InlineData("revision")]
    [InlineData("time")]
    [InlineData("method")]
    public void What_every_record_has_is_required(string property)
    {
        foreach (string value in new[] { "", $"'{property}': {{}}, ", $"'{property}': 'x y', " })
        {
            if (property is not ("path" or "revision") || !value.Contains("x y"))
            {
                string rest = System.Text.RegularExpressions.Regex.Replace(Common, $"'{property}': [^,]+(, |$)", value);
                WriteText("r1", $"{rest.TrimEnd(',', ' ')}, 'state': 'Ready'");
                Assert.Throws<CorruptException>(() => opened.Roots.Find("r1"));
            }
        }
    }

    [Fact]
    public void Any_flipped_bit_is_noticed()
    {
        opened.Record("r1", Pinned);
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
        Assert.Equal(store.At("a/r1"), opened.Roots.AbsolutePath(Pinned with { Path = "a/r1" }));
        Assert.Equal("/elsewhere/r1", opened.Roots.RecordedPath("/elsewhere/r1"));
        Assert.Equal("/elsewhere/r1", opened.Roots.AbsolutePath(Pinned with { Path = "/elsewhere/r1" }));
        Assert.Equal("/x/.r1.partial", Roots.PartialPath("/x/r1"));
    }

    [Fact]
    public void Roots_of_one_name_have_records_of_their_own()
    {
        Assert.Equal("r1", opened.Roots.NameFor(store.At("r1")));
        opened.Record("r1", Pinned);
        Assert.Equal("r1", opened.Roots.NameFor(store.At("r1")));
        string other = opened.Roots.NameFor(store.At("elsewhere/r1"));
        Assert.Matches("^r1-[0-9a-f]{16}$", other);
        Assert.NotEqual(other, opened.Roots.NameFor("/elsewhere/r1"));
        Assert.Matches("^[0-9a-f]{16}$", opened.Roots.NameFor(store.At(new string('x', 250))));
    }

    /// <summary>What is the same in all records, with ' for ".</summary>
    private static string Common => $"'path': 'r1', 'commit': '{Pinned.Commit}', 'revision': 'one', 'time': 1, 'method': 'Copy'";

    private static string Comma(string properties) => properties.Length == 0 ? "" : $", {properties}";

    private void WriteText(string name, string properties) =>
        File.WriteAllText($"{store.Path}/roots/{name}.json", Checked($"{{{properties.Replace('\'', '"')}, \"check\": \"CHECK\"}}\n"));

    private static string Checked(string text)
    {
        string blank = text.Replace("COMMIT", Pinned.Commit.ToString()).Replace("CHECK", "0000000000000000");
        ulong check = System.IO.Hashing.XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(blank));
        return blank.Replace("0000000000000000", $"{check:x16}");
    }
}
