using CsCheck;
using HackTree.Boot;

namespace HackTree.Tests.Boot;

/// <summary>Differences of texts by line, and merges of them.</summary>
public sealed class LineMergeTests
{
    private static readonly Gen<string> Texts = Gen.Select(
        Gen.Int[0, 3].Array[0, 12],
        Gen.Bool,
        (lines, isCut) => string.Concat(lines.Select(line => "abc"[..(line % 3)] + "\n")) + (isCut ? "a" : ""));

    [Fact]
    public void Changes_make_the_new_text_of_the_old_one_and_never_touch() =>
        Gen.Select(Texts, Texts).Sample((before, after) =>
        {
            string[] old = LineDiff.LinesOf(before), now = LineDiff.LinesOf(after);
            var made = new List<string>();
            int place = 0;
            foreach (LineChange change in LineDiff.Run(old, now))
            {
                Assert.True(place == 0 || change.OldStart > place);
                made.AddRange(old[place..change.OldStart]);
                Assert.Equal(change.NewStart, made.Count);
                made.AddRange(now[change.NewStart..change.NewEnd]);
                place = change.OldEnd;
            }

            Assert.Equal(now.AsEnumerable(), made.Concat(old[place..]));
        });

    [Fact]
    public void A_merge_is_the_same_from_both_sides_and_what_one_side_left_is_the_others() =>
        Gen.Select(Texts, Texts, Texts).Sample((old, mine, theirs) =>
        {
            Assert.Equal(LineMerge.Run(old, mine, theirs), LineMerge.Run(old, theirs, mine));
            Assert.Equal(mine, LineMerge.Run(old, mine, old));
            Assert.Equal(mine, LineMerge.Run(old, mine, mine));
        });

    [Theory]
    [InlineData("1 2 3 4 5", "1 x 3 4 5", "1 2 3 y 5", "1 x 3 y 5")]
    [InlineData("1 2 3", "1 x 3", "1 y 3", null)]
    [InlineData("1 2 3", "1 x 3", "1 2 y", null)]
    [InlineData("1 2 3", "0 1 2 3", "1 2 3 4", "0 1 2 3 4")]
    [InlineData("1 2 3", "0 1 2 3", "0 1 2 3 4", "0 1 2 3 4")]
    [InlineData("1 2", "1 2 3", "1 2 4", null)]
    [InlineData("", "1", "2", null)]
    public void Changes_that_meet_are_no_merge(string old, string mine, string theirs, string? merged) =>
        Assert.Equal(merged is null ? null : Lines(merged), LineMerge.Run(Lines(old), Lines(mine), Lines(theirs)));

    private static string Lines(string words) => string.Concat(words.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word + "\n"));
}
