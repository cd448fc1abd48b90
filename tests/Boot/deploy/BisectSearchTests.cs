using HackTree.Boot;
using HackTree.Model;

namespace HackTree.Tests.Boot;

/// <summary>The search of `bisect`, for every length of a history and every commit that may be the first bad one.</summary>
public sealed class BisectSearchTests
{
    [Fact]
    public void The_first_bad_commit_is_found_in_as_many_tries_as_are_needed_wherever_it_is()
    {
        for (int count = 1; count <= 40; count++)
        {
            Digest[] history = [.. Enumerable.Range(0, count + 1).Select(Commit)];
            int most = (int)Math.Ceiling(Math.Log2(count));
            Assert.Equal(most, new BisectSearch(history, []).TriesLeft);
            for (int first = 1; first <= count; first++)
            {
                var verdicts = new List<BisectVerdict>();
                var search = new BisectSearch(history, verdicts);
                while (!search.Next.IsNone)
                {
                    Assert.True(search.FirstBad.IsNone && search.LastGood.IsNone);
                    int at = Array.IndexOf(history, search.Next), left = search.TriesLeft;
                    verdicts.Add(new BisectVerdict(search.Next, at < first ? null : "planted"));
                    search = new BisectSearch(history, verdicts);
                    Assert.True(search.TriesLeft < left);
                }

                Assert.Equal((history[first], history[first - 1]), (search.FirstBad, search.LastGood));
                Assert.InRange(verdicts.Count, 0, most);
            }
        }

        Assert.Equal(3, new BisectSearch(Enumerable.Range(0, 9).Select(Commit), []).TriesLeft);
    }

    private static Digest Commit(int number) => Verity.Compute([(byte)number]);
}
