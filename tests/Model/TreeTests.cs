using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class TreeTests
{
    [Fact]
    public void Any_entries_round_trip_sorted_by_name() => Generators.Entries.Sample(entries =>
    {
        Tree built = TestEntry.Build(entries);
        Assert.True(Tree.TryDecode(built.Bytes.ToArray(), out Tree? tree, out string? error), error);
        TestEntry[] expected = [.. entries];
        Array.Sort(expected, (x, y) => x.Name.AsSpan().SequenceCompareTo(y.Name));
        Assert.Equal(expected.Length, tree.Count);
        int i = 0;
        foreach (TreeEntry entry in tree)
        {
            Assert.True(entry.Exists);
            Assert.True(entry.SameAs(expected[i++].View));
        }

        Assert.Equal(expected.Length, i);
        Assert.Equal(Tree.DigestOf(built.Bytes), Tree.DigestOf(tree.Bytes));
    });

    [Fact]
    public void The_order_of_adding_does_not_matter() => Gen.Select(Generators.Entries, Gen.Int).Sample((entries, seed) =>
    {
        TestEntry[] shuffled = [.. entries];
        new Random(seed).Shuffle(shuffled);
        Assert.True(TestEntry.Build(entries).Bytes.SequenceEqual(TestEntry.Build(shuffled).Bytes));
    });

    [Fact]
    public void Every_change_of_one_bit_and_every_truncation_is_refused_or_canonical() =>
        Generators.Entries.Where(entries => entries.Sum(entry => entry.Target.Length + entry.Xattrs.Length) < 500)
            .Sample(entries => Canonical.AssertDamageIsSeen(TestEntry.Build(entries).Bytes.ToArray(), Canonical.Tree), iter: 25);

    [Fact]
    public void A_tree_that_is_cut_short_or_goes_on_is_refused() => Generators.Entries.Sample(entries =>
    {
        byte[] bytes = TestEntry.Build(entries).Bytes.ToArray();
        for (int length = Math.Max(0, bytes.Length - 300); length < bytes.Length; length++)
        {
            Assert.False(Tree.TryDecode(bytes.AsMemory(0, length), out _, out _));
        }

        Assert.False(Tree.TryDecode((byte[])[.. bytes, 0], out _, out _));
    });

    [Fact]
    public void A_cursor_walks_as_an_enumerator_does_and_can_be_kept() => Generators.Entries.Sample(entries =>
    {
        Tree tree = TestEntry.Build(entries);
        TreeCursor[] kept = [new TreeCursor(tree)];
        foreach (TreeEntry entry in tree)
        {
            Assert.True(kept[0].Next(out TreeEntry next));
            Assert.True(next.SameAs(entry));
        }

        Assert.False(kept[0].Next(out TreeEntry none));
        Assert.False(none.Exists);
        Assert.False(kept[0].Next(out _));
    });

    [Fact]
    public void Find_answers_the_entry_of_that_name_or_none() => Gen.Select(Generators.Entries, Generators.Name).Sample((entries, other) =>
    {
        Tree tree = TestEntry.Build(entries);
        foreach (TestEntry entry in entries)
        {
            Assert.True(tree.Find(entry.Name).SameAs(entry.View));
        }

        Assert.Equal(entries.Any(entry => entry.Name.AsSpan().SequenceEqual(other)), tree.Find(other).Exists);
        Assert.False(tree.Find([]).Exists);
    });

    [Fact]
    public void Entries_that_differ_in_one_thing_are_not_the_same()
    {
        var entry = new TestEntry(EntryKind.Regular, "n"u8.ToArray(), new FileMetadata(0, 0, 0, 0), []);
        TestEntry[] others =
        [
            entry with { Kind = EntryKind.Fifo },
            entry with { Name = "m"u8.ToArray() },
            entry with { Metadata = new FileMetadata(1, 0, 0, 0) },
            entry with { Metadata = new FileMetadata(0, 1, 0, 0) },
            entry with { Metadata = new FileMetadata(0, 0, 1, 0) },
            entry with { Metadata = new FileMetadata(0, 0, 0, 1) },
            entry with { Xattrs = [1] },
            entry with { Size = 1 },
            entry with { Digest = Digest.Of([]) },
            entry with { Target = [1] },
            entry with { Major = 1 },
            entry with { Minor = 1 },
        ];
        Assert.True(entry.View.SameAs((entry with { Name = [.. entry.Name] }).View));
        Assert.All(others, other => Assert.False(entry.View.SameAs(other.View)));
    }

    [Fact]
    public void The_empty_tree_is_what_a_builder_makes_of_nothing()
    {
        Assert.Equal(0, Tree.Empty.Count);
        Assert.Equal(new byte[4], Tree.Empty.Bytes);
        Assert.Equal(new byte[4], new TreeBuilder().Build().Bytes);
        Assert.False(Tree.Empty.GetEnumerator().MoveNext());
        Assert.False(default(TreeEntry).Exists);
    }

    [Fact]
    public void A_directory_of_100000_entries_is_sorted_and_found()
    {
        var builder = new TreeBuilder();
        byte[][] names = [.. Enumerable.Range(0, 100_000).Select(i => BitConverter.GetBytes(((ulong)i * 0x9E3779B97F4A7C15) | 0x0101010101010101)
            .Select(b => b == (byte)'/' ? (byte)'.' : b).ToArray()).DistinctBy(Convert.ToHexString)];
        foreach (byte[] name in names)
        {
            builder.Add(TestEntry.Fifo(name).View);
        }

        Tree tree = builder.Build();
        Assert.Equal(names.Length, tree.Count);
        Array.Sort(names, (x, y) => x.AsSpan().SequenceCompareTo(y));
        int i = 0;
        foreach (TreeEntry entry in tree)
        {
            Assert.True(entry.Name.SequenceEqual(names[i++]));
        }

        Assert.Equal(names.Length, i);
    }

    [Fact]
    public void A_builder_that_was_built_goes_on()
    {
        var builder = new TreeBuilder();
        builder.Add(TestEntry.Fifo(2).View);
        Assert.Equal(1, builder.Build().Count);
        builder.Add(TestEntry.Fifo(1).View);
        Assert.True(builder.Build().Bytes.SequenceEqual(TestEntry.Build(TestEntry.Fifo(1), TestEntry.Fifo(2)).Bytes));
    }
}
