using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class TreePairTests
{
    [Fact]
    public void It_gives_what_differs_and_the_directories_of_both_by_name() =>
        Gen.Select(Generators.Entries, Generators.Entries, Gen.Int).Sample((some, others, seed) =>
        {
            // Two listings with much in common, like those of two commits.
            var random = new Random(seed);
            HashSet<string> taken = [.. some.Select(Key)];
            TestEntry[] one = [.. some];
            IEnumerable<TestEntry> kept = some.Where(_ => random.Next(4) > 0).Select(entry => random.Next(4) == 0 ? Changed(entry) : entry);
            TestEntry[] other = [.. kept, .. others.Where(entry => !taken.Contains(Key(entry)))];

            Assert.Equal(Expected(one, other), Walk(TestEntry.Build(one), TestEntry.Build(other)));
        });

    private static List<(string Name, string One, string Other)> Walk(Tree one, Tree other)
    {
        var found = new List<(string, string, string)>();
        var pair = new TreePair(one, other);
        while (pair.Next(out TreeEntry entry, out TreeEntry otherEntry))
        {
            Assert.True(!entry.Exists || !otherEntry.Exists || entry.Name.SequenceEqual(otherEntry.Name));
            found.Add((Convert.ToHexString(entry.Exists ? entry.Name : otherEntry.Name), Describe(entry), Describe(otherEntry)));
        }

        Assert.False(pair.Next(out _, out _));
        return found;
    }

    private static List<(string Name, string One, string Other)> Expected(TestEntry[] one, TestEntry[] other)
    {
        var found = new List<(string, string, string)>();
        foreach (string name in one.Concat(other).Select(Key).Distinct().Order(StringComparer.Ordinal))
        {
            TestEntry? first = one.FirstOrDefault(entry => Key(entry) == name), second = other.FirstOrDefault(entry => Key(entry) == name);
            bool isSameFile = first is not null && second is not null && first.Kind != EntryKind.Directory && first.View.SameAs(second.View);
            if (!isSameFile)
            {
                found.Add((name, first is null ? "" : Describe(first.View), second is null ? "" : Describe(second.View)));
            }
        }

        return found;
    }

    private static string Key(TestEntry entry) => Convert.ToHexString(entry.Name);

    private static TestEntry Changed(TestEntry entry) => entry with { Metadata = entry.Metadata with { ModifyTime = entry.Metadata.ModifyTime ^ 1 } };

    private static string Describe(in TreeEntry entry) => !entry.Exists
        ? ""
        : $"{entry.Kind} {entry.Metadata} {entry.Size} {entry.Digest} {entry.DeviceMajor}:{entry.DeviceMinor} {Convert.ToHexString(entry.Target)} {Convert.ToHexString(entry.Xattrs)}";
}
