using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class RevisionTests : IDisposable
{
    private readonly TestStore store = new();
    private readonly ObjectStore opened;
    private readonly Digest[] commits;

    public RevisionTests()
    {
        commits = [.. Enumerable.Range(0, 5).Select(i => store.Commit("debian/main", $"f={i}"))];
        opened = store.Open();
    }

    public void Dispose()
    {
        opened.Dispose();
        store.Dispose();
    }

    [Theory]
    [InlineData("debian/main", 4)]
    [InlineData("debian/main^", 3)]
    [InlineData("debian/main^^", 2)]
    [InlineData("debian/main~", 3)]
    [InlineData("debian/main~0", 4)]
    [InlineData("debian/main~3", 1)]
    [InlineData("debian/main~1~2^", 0)]
    [InlineData("debian/main^~2", 1)]
    public void Refs_and_their_ancestors_are_found(string text, int expected) =>
        Assert.Equal(commits[expected], Revision.Resolve(opened, text));

    [Fact]
    public void Full_digests_and_unique_prefixes_are_found()
    {
        foreach (Digest commit in commits)
        {
            Assert.Equal(commit, Revision.Resolve(opened, commit.ToString()));
            Assert.Equal(commit, Revision.Resolve(opened, commit.ToString()[..12]));
        }

        Assert.Equal(commits[3], Revision.Resolve(opened, commits[4] + "^"));
        Assert.Equal(commits[1], Revision.Resolve(opened, commits[4].ToString()[..20] + "~3"));
    }

    [Theory]
    [InlineData("nothing", "no ref and no commit")]
    [InlineData("", "no ref and no commit")]
    [InlineData("^", "no ref and no commit")]
    [InlineData("debian", "no ref and no commit")]
    [InlineData("debian/main/x", "no ref and no commit")]
    [InlineData("../format", "no ref and no commit")]
    [InlineData("abc", "no ref and no commit")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", "no ref and no commit")]
    [InlineData("debian/main~5", "has no parent")]
    [InlineData("debian/main~2147483647", "has no parent")]
    [InlineData("debian/main~2147483648", "does not name a commit")]
    [InlineData("debian/main~99999999999999999999", "does not name a commit")]
    [InlineData("debian/main~1x", "does not name a commit")]
    [InlineData("debian/main~-1", "does not name a commit")]
    [InlineData("debian/main^1", "does not name a commit")]
    [InlineData("debian/main^{}", "does not name a commit")]
    public void What_names_no_commit_is_told_in_one_sentence(string text, string expected)
    {
        StoreException e = Assert.ThrowsAny<StoreException>(() => Revision.Resolve(opened, text));
        Assert.Contains(expected, e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_prefix_of_several_commits_names_them_and_a_ref_wins_over_a_prefix()
    {
        // Makes commits until two begin with the same four digits: some 300 are enough for 16 bits.
        using var additions = new Additions(opened);
        var seen = new Dictionary<string, Digest>();
        for (int i = 0; ; i++)
        {
            Digest commit = TestStore.Add(additions, [commits[i % 5]], $"g={i % 3}", $"h{i}=1");
            string prefix = commit.ToString()[..4];
            if (seen.TryAdd(prefix, commit))
            {
                continue;
            }

            additions.Publish();
            StoreException e = Assert.Throws<StoreException>(() => Revision.Resolve(opened, prefix));
            Assert.Contains("several commits", e.Message);
            Assert.Contains(commit.ToString()[..16], e.Message);
            Assert.Contains(seen[prefix].ToString()[..16], e.Message);
            Assert.Equal(commit, Revision.Resolve(opened, commit.ToString()[..40]));
            TestStore.SetRef(opened, prefix, commits[2]);
            Assert.Equal(commits[2], Revision.Resolve(opened, prefix));
            return;
        }
    }

    [Fact]
    public void A_ref_to_a_missing_commit_is_told()
    {
        TestStore.SetRef(opened, "lost", Digest.Of("x"u8));
        Assert.Contains("which is not in this store", Assert.ThrowsAny<StoreException>(() => Revision.Resolve(opened, "lost")).Message);
    }

    [Fact]
    public void A_tree_is_no_commit()
    {
        Digest tree = opened.Packs.ReadCommit(commits[0]).Tree;
        Assert.ThrowsAny<StoreException>(() => Revision.Resolve(opened, tree.ToString()));
        Assert.ThrowsAny<StoreException>(() => Revision.Resolve(opened, tree.ToString()[..30]));
    }
}
