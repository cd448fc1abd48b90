using System.Collections.Immutable;
using System.Text;
using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class CommitTests
{
    private static Commit Plain { get; } = new()
    {
        Tree = Digest.Of("t"u8),
        RootMetadata = new FileMetadata(0x1ED, 0, 0, 1700000000),
        Time = 1700000001,
        Files = 2,
        ContentBytes = 3,
        Subject = "first",
    };

    [Fact]
    public void Any_commit_round_trips() => Generators.Commit.Sample(commit =>
    {
        byte[] bytes = commit.Encode();
        Assert.True(Commit.TryDecode(bytes, out Commit? decoded, out string? error), error);
        Assert.Equal(commit.Tree, decoded.Tree);
        Assert.Equal(commit.RootMetadata, decoded.RootMetadata);
        Assert.Equal(commit.RootXattrs.ToArray(), decoded.RootXattrs.ToArray());
        Assert.Equal(commit.Parents.AsEnumerable(), decoded.Parents);
        Assert.Equal((commit.Time, commit.Files, commit.ContentBytes), (decoded.Time, decoded.Files, decoded.ContentBytes));
        Assert.Equal(commit.Subject, decoded.Subject);
        Assert.Equal(commit.Body, decoded.Body);
        Assert.Equal(commit.Annotations.AsEnumerable(), decoded.Annotations);
        Assert.Contains(decoded.Tree.ToString(), decoded.ToString(), StringComparison.Ordinal);
        Assert.Equal(bytes, decoded.Encode());
        Assert.Equal(Digest.Of(bytes), Commit.DigestOf(bytes));
    });

    [Fact]
    public void Every_change_of_one_bit_and_every_truncation_is_refused_or_canonical() =>
        Generators.Commit.Where(commit => commit.RootXattrs.Length < 200)
            .Sample(commit => Canonical.AssertDamageIsSeen(commit.Encode(), Canonical.Commit), iter: 25);

    [Fact]
    public void Annotations_sort_by_code_unit_whatever_order_their_dictionary_has()
    {
        (string, string)[] pairs = [("a", "1"), ("B", "2"), ("_", "3"), ("b", "4")];
        var backwards = Comparer<string>.Create((x, y) => string.CompareOrdinal(y, x));
        byte[][] encoded =
        [
            Annotated(Commit.NoAnnotations).Encode(),
            Annotated(ImmutableSortedDictionary<string, string>.Empty).Encode(),
            Annotated(ImmutableSortedDictionary.Create<string, string>(backwards)).Encode(),
        ];
        Assert.All(encoded, bytes => Assert.True(Canonical.Commit(bytes)));
        Assert.All(encoded, bytes => Assert.Equal(encoded[0], bytes));

        Commit Annotated(ImmutableSortedDictionary<string, string> none) =>
            Plain with { Annotations = none.AddRange(pairs.Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2))) };
    }

    [Fact]
    public void A_subject_or_an_annotation_that_is_not_a_line_of_text_is_refused()
    {
        // These are not attributes of the test, because attributes are UTF-8 and cannot hold lone surrogates.
        string[] bad = ["two\nlines", "carriage\rreturn", "nul\0", "\uD800", "\uDC00\uD800", "end\uD83D", "\uD83D\uD83D\uDE00"];
        Assert.All(bad, text =>
        {
            Assert.False(Commit.IsLine(text));
            Assert.Throws<ArgumentException>(() => (Plain with { Subject = text }).Encode());
            Assert.Throws<ArgumentException>(() => (Plain with { Annotations = Commit.NoAnnotations.Add("k", text) }).Encode());
        });
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a=b")]
    [InlineData("a\nb")]
    [InlineData("é")]
    [InlineData("٣")]
    [InlineData("a2345678901234567890123456789012345678901234567890123456789012345")]
    public void A_key_of_an_annotation_is_1_to_64_plain_characters(string key)
    {
        Assert.False(Commit.IsAnnotationKey(key));
        Assert.Throws<ArgumentException>(() => (Plain with { Annotations = Commit.NoAnnotations.Add(key, "v") }).Encode());
        Assert.True(Commit.IsAnnotationKey("Build_1.x-y"));
        Assert.True(Commit.IsAnnotationKey(new string('k', 64)));
    }

    [Fact]
    public void Values_that_the_text_cannot_hold_are_refused()
    {
        Assert.Throws<ArgumentException>(() => (Plain with { Body = "nul\0" }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { Body = "\uD800" }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { Files = -1 }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { ContentBytes = -1 }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { RootMetadata = new FileMetadata(0x1000, 0, 0, 0) }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { RootMetadata = new FileMetadata(0, FileMetadata.NoOwner, 0, 0) }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { RootMetadata = new FileMetadata(0, 0, FileMetadata.NoOwner, 0) }).Encode());
        Assert.Throws<ArgumentException>(() => (Plain with { RootXattrs = new byte[] { 1 } }).Encode());
    }

    [Fact]
    public void A_body_may_be_anything_even_a_commit()
    {
        Commit commit = Plain with { Body = "\n\n" + Encoding.UTF8.GetString(Plain.Encode()) + "\r\n\u0085 " };
        Assert.True(Commit.TryDecode(commit.Encode(), out Commit? decoded, out _));
        Assert.Equal(commit.Body, decoded.Body);
        Assert.Equal(Plain.Subject, decoded.Subject);
    }

    [Theory]
    [InlineData("hacktree commit 1", "hacktree commit 2")]
    [InlineData("hacktree commit 1", "hacktree commit 01")]
    [InlineData("hacktree commit 1\n", "hacktree commit 1\r\n")]
    [InlineData("hacktree commit 1", "\uFEFFhacktree commit 1")]
    [InlineData("root 0755 0 0", "root 755 0 0")]
    [InlineData("root 0755 0 0", "root 00755 0 0")]
    [InlineData("root 0755 0 0", "root 0855 0 0")]
    [InlineData("root 0755 0 0", "root 0755 00 0")]
    [InlineData("root 0755 0 0", "root 0755 -0 0")]
    [InlineData("root 0755 0 0", "root 0755  0 0")]
    [InlineData("root 0755 0 0", "root 0755 0 4294967295")]
    [InlineData("root 0755 0 0", "root 0755 4294967295 0")]
    [InlineData("root 0755 0 0", "root 0755 0 4294967296")]
    [InlineData("root 0755 0 0", "root 0755 0 0 0")]
    [InlineData("time 1700000001", "time +1700000001")]
    [InlineData("time 1700000001", "time 01700000001")]
    [InlineData("time 1700000001", "time 1,700000001")]
    [InlineData("time 1700000001", "time 9223372036854775808")]
    [InlineData("time 1700000001", "time -0")]
    [InlineData("time 1700000001", "time 1700000001 ")]
    [InlineData("time 1700000001", "time 1700000001\0")]
    [InlineData("time 1700000001", "time \u0661")]
    [InlineData("time 1700000001\n", "")]
    [InlineData("time 1700000001\n", "time 1700000001\ntime 1700000001\n")]
    [InlineData("time 1700000001\nfiles 2\n", "files 2\ntime 1700000001\n")]
    [InlineData("files 2", "files -2")]
    [InlineData("subject first", "subject first\nsubject first")]
    [InlineData("subject first\n", "")]
    [InlineData("subject first\n", "subject\n")]
    [InlineData("subject first\n", "subject first\nmeta\n")]
    [InlineData("subject first\n", "subject first\nmeta =v\n")]
    [InlineData("subject first\n", "subject first\nmeta k\n")]
    [InlineData("subject first\n", "subject first\nmeta k=v\nmeta k=v\n")]
    [InlineData("subject first\n", "subject first\nmeta k=1\nmeta K=2\n")]
    [InlineData("subject first\n", "subject first\nmeta a b=v\n")]
    [InlineData("subject first\n", "subject first\nunknown line\n")]
    [InlineData("subject first\n", "subject first\nroot-xattrs 0100000000\n")]
    [InlineData("files 2\n", "files 2\nroot-xattrs 010000000061\n")]
    [InlineData("root 0755 0 0 1700000000\n", "root 0755 0 0 1700000000\nroot-xattrs \n")]
    [InlineData("root 0755 0 0 1700000000\n", "root 0755 0 0 1700000000\nroot-xattrs 01000000006A\n")]
    [InlineData("root 0755 0 0 1700000000\n", "root 0755 0 0 1700000000\nroot-xattrs 0100000000f\n")]
    [InlineData("root 0755 0 0 1700000000\n", "root 0755 0 0 1700000000\nroot-xattrs ff00000000\n")]
    [InlineData("root 0755 0 0 1700000000\n", "root 0755 0 0 1700000000\nparent abc\n")]
    [InlineData("\n\n", "\n")]
    public void Text_of_another_form_is_refused(string canonical, string other)
    {
        string text = Encoding.UTF8.GetString(Plain.Encode());
        Assert.Contains(canonical, text, StringComparison.Ordinal);
        byte[] bytes = Encoding.UTF8.GetBytes(text.Replace(canonical, other, StringComparison.Ordinal));
        Assert.False(Commit.TryDecode(bytes, out Commit? commit, out string? error));
        Assert.Null(commit);
        Assert.NotNull(error);
    }

    [Fact]
    public void Bytes_that_are_no_text_are_refused()
    {
        byte[] bytes = (Plain with { Body = "x" }).Encode();
        foreach (byte bad in (byte[])[0x80, 0xC0, 0xFF])
        {
            bytes[^1] = bad;
            Assert.False(Canonical.Commit(bytes));
        }

        bytes[^1] = 0;
        Assert.False(Canonical.Commit(bytes));
        Assert.False(Canonical.Commit([]));
        Assert.False(Canonical.Commit("hacktree commit 1"u8.ToArray()));
        Assert.False(Canonical.Commit("hacktree commit 1\n"u8.ToArray()));
        Assert.False(Canonical.Commit("hacktree commit 1\n\n"u8.ToArray()));
    }

    [Fact]
    public void A_commit_has_at_most_a_mebibyte()
    {
        int rest = Commit.MaxLength - Plain.Encode().Length;
        byte[] longest = (Plain with { Body = new string('b', rest) }).Encode();
        Assert.Equal(Commit.MaxLength, longest.Length);
        Assert.True(Canonical.Commit(longest));
        Assert.Throws<ArgumentException>(() => (Plain with { Body = new string('b', rest + 1) }).Encode());
        Assert.False(Canonical.Commit([.. longest, (byte)'b']));
    }

    [Fact]
    public void A_text_whose_canonical_form_would_be_too_long_is_refused_without_an_exception()
    {
        byte[] head = "hacktree commit 1\nsubject \n\n"u8.ToArray();
        Assert.False(Canonical.Commit([.. head, .. Enumerable.Repeat((byte)'b', Commit.MaxLength - head.Length)]));
    }

    [Fact]
    public void The_longest_list_of_parents_is_read_in_reasonable_time()
    {
        Commit commit = Plain with { Parents = [.. Enumerable.Range(0, 14_000).Select(i => Digest.Of(BitConverter.GetBytes(i)))] };
        byte[] bytes = commit.Encode();

        // The quickest of several: a busy machine may keep this thread waiting.
        long quickest = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            var watch = System.Diagnostics.Stopwatch.StartNew();
            Assert.True(Commit.TryDecode(bytes, out Commit? decoded, out _));
            quickest = Math.Min(quickest, watch.ElapsedMilliseconds);
            Assert.Equal(14_000, decoded.Parents.Length);
        }

        Assert.InRange(quickest, 0, 2_000);
    }
}
