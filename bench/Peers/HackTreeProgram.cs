using HackTree.Bench.Report;

namespace HackTree.Bench.Peers;

/// <summary>hacktree itself, run like the other programs.</summary>
internal sealed class HackTreeProgram(string program) : Contestant
{
    internal override string Name => Summary.HackTree;

    internal override IReadOnlyList<string> VersionCommand => [program, "version"];

    internal override string How =>
        "A store and roots on the timed filesystem. "
        + "Syncs by itself: commit before the ref is set, checkout before it says that the root is ready. "
        + "Pulls come from an image layout behind nginx.";

    internal override bool KeepsXattrs => true;

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string[] hacktree = [program, "--quiet", "--store", arena.At("objects")];
        yield return Step.Prepare(PlainWorks, [program, "--quiet", "init", arena.At("objects")]);
        yield return new Step(Work.First, "hacktree commit", [.. hacktree, "commit", "-b", "main", arena.Tree]) { NeededFor = PlainWorks };
        yield return new Step(Work.Recommit, "hacktree commit", [.. hacktree, "commit", "-b", "main", arena.Tree]);
        string[] checkout = [.. hacktree, "checkout", "main", arena.At("r0")];
        yield return new Step(Work.Checkout, "hacktree checkout", checkout) { NeededFor = [Work.RecommitRoot, Work.Advance] };
        yield return new Step(Work.RecommitRoot, "hacktree commit", [.. hacktree, "commit", "-b", "main", arena.At("r0")]);
        yield return Step.Prepare([Work.Advance, Work.Diff], [.. hacktree, "commit", "-b", "changed", arena.Changed]);
        yield return new Step(Work.Diff, "hacktree diff", [.. hacktree, "diff", "main", "changed"]) { Success = [3] };
        yield return new Step(Work.Ls, "hacktree ls -R", [.. hacktree, "ls", "-R", "main"]);
        yield return new Step(Work.Du, "hacktree du", [.. hacktree, "du"]);
        yield return new Step(Work.Gc, "hacktree gc", [.. hacktree, "gc"]);
        yield return new Step(Work.Fsck, "hacktree fsck", [.. hacktree, "fsck"]);
        string[] advance = [.. hacktree, "checkout", "--from", arena.At("r0"), "changed", arena.At("r1")];
        yield return new Step(Work.Advance, "hacktree checkout --from", advance);
        foreach (Step step in Pulls(arena, hacktree))
        {
            yield return step;
        }
    }

    private static IEnumerable<Step> Pulls(Arena arena, string[] hacktree)
    {
        const string deltas = "empty", whole = "other";
        string[] push = [.. hacktree, "push", "main", arena.At("layout")];
        string source = $"{arena.Url}/layout:main";
        foreach (string store in (string[])[deltas, whole])
        {
            yield return Step.Prepare([Work.Pull, Work.PullUpdate], arena.HackTree, "--quiet", "init", arena.At(store));
        }

        yield return Step.Prepare([Work.Pull, Work.PullUpdate], push);
        yield return new Step(Work.Pull, "hacktree pull", From(deltas)) { NeededFor = [Work.PullUpdate] };
        yield return Step.Prepare([Work.PullUpdate], From(whole));
        yield return Step.Prepare([Work.PullUpdate], [.. hacktree, "commit", "-b", "main", arena.Changed]);
        yield return Step.Prepare([Work.PullUpdate], push);
        yield return new Step(Work.PullUpdate, "hacktree pull", From(deltas));
        yield return new Step(Work.PullUpdate, "hacktree pull --no-delta", From(whole, "--no-delta"));

        string[] From(string store, params string[] options) => [arena.HackTree, "--quiet", "--store", arena.At(store), "pull", .. options, source];
    }
}
