using System.Text;
using HackTree.Model;
using HackTree.Tests.Support;
using HackTree.Transfer;

namespace HackTree.Tests.Transfer;

/// <summary>Signed records of where refs stand: what they say, and what they keep a mirror from.</summary>
public sealed class RefRecordTests : IDisposable
{
    private readonly TransferWorld world = new();
    private readonly SignKeys keys = new();
    private readonly string key;
    private readonly string trusted;
    private readonly string layout;

    public RefRecordTests()
    {
        (key, layout) = (keys.Make("release"), world.At("layout"));
        trusted = keys.Trust("trusted", ("alice", "release"));
        world.Run("sign", "-q", "debian/test", "--sign-key", key).Succeeded();
        Push("--sign", key);
        world.Init("other");
        Pull(layout).Succeeded();
    }

    public void Dispose()
    {
        keys.Dispose();
        world.Dispose();
    }

    [Fact]
    public void A_mirror_that_is_behind_is_refused()
    {
        world.Shell("cp -a layout mirror").Succeeded();
        string second = Update();
        Push("--sign", key);
        Pull(layout).Succeeded();
        TransferWorld.AssertRefused(Pull(world.At("mirror")), "has number .*, and .* was there before");
        world.AssertRef("other", second);

        // The same commit, and its record is older than the one that is known.
        Push("--sign", key);
        world.Shell("rm -r mirror; cp -a layout mirror").Succeeded();
        Push("--sign", key);
        Pull(layout).Succeeded();
        TransferWorld.AssertRefused(Pull(world.At("mirror")), "has number");
    }

    [Fact]
    public void A_record_that_expired_is_refused_until_there_is_another()
    {
        Update();
        Push("--sign", key, "--expires", "0");
        TransferWorld.AssertRefused(Pull(layout), "was valid until");
        world.AssertRef("other", world.First);
        Push("--sign", key, "--expires", "1");
        Pull(layout).Succeeded();
    }

    [Fact]
    public void A_record_does_not_go_away()
    {
        Update();
        TransferWorld.AssertRefused(world.Run("push", "debian/test", layout), "has a signed record there.*--sign KEY");
        Push("--force");
        TransferWorld.AssertRefused(Pull(layout), "has no signed record there, and had one before");
        Pull(layout, "--allow-downgrade").Succeeded();
    }

    [Fact]
    public void A_record_of_another_ref_or_by_another_key_is_refused()
    {
        world.Shell("$H refs set elsewhere debian/test").Succeeded();
        world.Run("push", "elsewhere", layout, "--sign", key).Succeeded();
        world.Shell("sed -i 's/debian--test/swap/g; s/elsewhere/debian--test/g; s/swap/elsewhere/g' layout/index.json").Succeeded();
        TransferWorld.AssertRefused(Pull(layout), "the record of debian/test is of elsewhere");
        Push("--sign", keys.Make("mallory"));
        TransferWorld.AssertRefused(Pull(layout), "is not signed by a trusted key");
    }

    [Fact]
    public void A_record_goes_along_to_a_mirror_and_outlives_gc()
    {
        world.On("other", "gc").Succeeded();
        world.On("other", "push", "debian/test", world.At("mirror")).Succeeded();
        world.Init("third");
        world.On("third", "pull", "--require-signature", "--keys", trusted, $"{world.At("mirror")}:debian/test").Succeeded();
        Assert.Equal(Record("other"), Record("third"));
        world.On("third", "fsck").Succeeded();
    }

    [Fact]
    public void Ssh_keygen_judges_a_record()
    {
        string text = Record("other");
        int end = text.IndexOf("-----BEGIN", StringComparison.Ordinal);
        byte[] record = Encoding.UTF8.GetBytes(text[..end]), signature = Encoding.UTF8.GetBytes(text[end..]);
        Assert.True(keys.Judge(trusted, record, signature));
        record[^2] ^= 1;
        Assert.False(keys.Judge(trusted, record, signature));
    }

    [Fact]
    public void A_record_is_this_text()
    {
        var record = new RefRecord("debian/test", Digest.Of("c"u8), 7, 1_700_000_000, 1_700_086_400) { Cohort = 25, NotBefore = 1_700_000_100 };
        string text = Encoding.UTF8.GetString(record.Encode());
        Assert.Equal(
            $"hacktree ref record 1\nref debian/test\ncommit {Digest.Of("c"u8)}\nserial 7\nmade 1700000000\nexpires 1700086400\ncohort 25\nnot-before 1700000100\n",
            text);
        Assert.Equal(record, RefRecord.TryParse(Encoding.UTF8.GetBytes(text + "more"), out int length));
        Assert.Equal(text.Length, length);
        foreach ((string old, string wrong) in ((string, string)[])[
            ("record 1", "record 2"), ("serial 7", "serial 0"), ("serial 7", "serial 07"), ("serial 7", "serial -7"), ("cohort 25", "cohort 101"),
            ("debian/test", "../test"), ("commit ", "commit x"), ("made ", "made  "), ("not-before 1700000100\n", ""), ("expires 1700086400", "expires 99999999999999")])
        {
            Assert.Null(RefRecord.TryParse(Encoding.UTF8.GetBytes(text.Replace(old, wrong, StringComparison.Ordinal) + "\n"), out _));
        }
    }

    [Fact]
    public void A_cohort_is_a_part_of_the_machines_and_grows()
    {
        RefRecord record = new("debian/test", Digest.Of("c"u8), 1, 0, 100);
        byte[][] machines = [.. Enumerable.Range(0, 2000).Select(i => Encoding.ASCII.GetBytes($"{i:x32}"))];
        int[] counts = [.. ((int[])[0, 10, 50, 100]).Select(cohort => machines.Count(each => (record with { Cohort = cohort }).ReasonToWait(each, 50) is null))];
        Assert.Equal((0, 2000), (counts[0], counts[3]));
        Assert.InRange(counts[1], 140, 260);
        Assert.InRange(counts[2], 900, 1100);
        Assert.All(machines, each => Assert.True(
            (record with { Cohort = 50 }).ReasonToWait(each, 50) is null || (record with { Cohort = 10 }).ReasonToWait(each, 50) is not null));
        Assert.Contains("1970-01-01 00:01:00Z", (record with { NotBefore = 60 }).ReasonToWait(machines[0], 59));
        Assert.Null((record with { NotBefore = 60 }).ReasonToWait(machines[0], 60));
    }

    private string Update() => world.CommitUpdateSigned(key);

    private void Push(params string[] options) => world.Run(["push", "debian/test", layout, .. options]).Succeeded();

    private ToolResult Pull(string place, params string[] options) =>
        world.On("other", ["pull", "-q", "--require-signature", "--keys", trusted, $"{place}:debian/test", .. options]);

    private string Record(string store) => File.ReadAllText(Assert.Single(Directory.GetFiles(Path.Combine(world.At(store), "records"))));
}
