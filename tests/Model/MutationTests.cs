using System.Text;
using HackTree.Model;

namespace HackTree.Tests.Model;

/// <summary>Good bytes with fixed damage: no decoder throws, and none accepts two byte strings for one value.</summary>
public sealed class MutationTests
{
    private const int Rounds = 20_000;

    private static readonly byte[][] Xattrs =
    [
        [],
        XattrSet.Encode([("user.a"u8.ToArray(), [0, 1])]),
        XattrSet.Encode([("security.capability"u8.ToArray(), new byte[20]), ("user.a"u8.ToArray(), []), ("user.b"u8.ToArray(), "value"u8.ToArray())]),
    ];

    private static readonly FileMetadata Metadata = new(0x1A4, 0, 1000, 1700000000);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Trees(int seed)
    {
        TestEntry[] entries =
        [
            TestEntry.Fifo("a"u8.ToArray()) with { Xattrs = Xattrs[1] },
            new(EntryKind.BlockDevice, "b"u8.ToArray(), Metadata, []) { Major = 8, Minor = 1 },
            new(EntryKind.CharacterDevice, "c"u8.ToArray(), Metadata, []) { Major = 1, Minor = 3 },
            new(EntryKind.Directory, "d"u8.ToArray(), Metadata, []) { Digest = Digest.Of("d"u8) },
            new(EntryKind.Regular, "e"u8.ToArray(), Metadata, Xattrs[2]) { Digest = Digest.Of("e"u8), Size = 7 },
            TestEntry.Symlink("f"u8.ToArray(), "../target"u8.ToArray()),
        ];
        byte[][] samples = [.. entries.Select(entry => TestEntry.Build(entry)).Append(TestEntry.Build(entries)).Select(tree => tree.Bytes.ToArray())];
        Check(seed, samples, Canonical.Tree);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Commits(int seed)
    {
        var small = new Commit { Tree = Digest.Of("t"u8), RootMetadata = Metadata, Time = -1, Files = 0, ContentBytes = 0 };
        var large = small with
        {
            RootXattrs = Xattrs[1],
            Parents = [Digest.Of("p"u8), Digest.Of("q"u8)],
            Subject = "subject é",
            Body = "body\n\nmore",
            Annotations = Commit.NoAnnotations.Add("version", "12").Add("arch", "").Add("K", "a=b"),
        };
        byte[][] samples = [small.Encode(), large.Encode()];
        Check(seed, samples, Canonical.Commit);

        // Whole lines are changed too, because changes of bytes hardly ever do that.
        Random random = new(seed);
        string[] lines = Encoding.UTF8.GetString(samples[1]).Split('\n');
        for (int i = 0; i < Rounds / 4; i++)
        {
            string[] changed = [.. lines];
            changed[random.Next(lines.Length)] = lines[random.Next(lines.Length)];
            (int x, int y) = (random.Next(lines.Length), random.Next(lines.Length));
            (changed[x], changed[y]) = (changed[y], changed[x]);
            Canonical.Commit(Encoding.UTF8.GetBytes(string.Join('\n', changed)));
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void Xattr_sets(int seed) => Check(seed, Xattrs, Canonical.Xattrs);

    private static void Check(int seed, byte[][] samples, Func<byte[], bool> isTaken)
    {
        Assert.All(samples, sample => Assert.True(isTaken(sample)));
        var mutator = new Mutator(seed);
        int taken = 0;
        for (int i = 0; i < Rounds; i++)
        {
            byte[] bytes = mutator.Next(samples);
            try
            {
                taken += isTaken(bytes) ? 1 : 0;
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}, round {i}: {e.GetType().Name} for {Convert.ToHexString(bytes)}: {e.Message}");
            }
        }

        // Otherwise the damage would be too coarse to get beyond the first check.
        Assert.InRange(taken, Rounds / 200, Rounds - 1);
    }
}
