using HackTree.Bench.Report;

namespace HackTree.Bench.Peers;

/// <summary>ostree is the nearest relative: a content-addressed store of trees with hardlink checkouts.</summary>
internal sealed class Ostree : Contestant
{
    internal override string Name => "ostree";

    internal override IReadOnlyList<string> VersionCommand => ["ostree", "--version"];

    internal override string How =>
        "A bare repository, as root, all settings as they come, so a commit is synced before the ref is set and a checkout is not: "
        + "the time of a syncfs after it is added. Device nodes and fifos, which it refuses, are left out of its tree. "
        + "It has no advance: there its time is that of another full checkout -H.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string repository = $"--repo={arena.At("repo")}";
        string[] commit = ["ostree", "commit", repository, "-s", "bench"];
        string[] again = [.. commit, "-b", "main", $"--tree=dir={arena.At("r0")}"];
        yield return Step.Prepare(EveryWork, "ostree", "init", repository, "--mode=bare");
        yield return new Step(Work.First, "ostree commit", [.. commit, "-b", "main", $"--tree=dir={arena.Plain}"]) { NeededFor = EveryWork };
        yield return new Step(Work.Recommit, "ostree commit", [.. commit, "-b", "main", $"--tree=dir={arena.Plain}"]);
        string[] checkout = ["ostree", "checkout", repository, "-H", "main", arena.At("r0")];
        yield return new Step(Work.Checkout, "ostree checkout -H", checkout) { NeededFor = [Work.RecommitRoot] };
        yield return new Step(Work.RecommitRoot, "ostree commit --link-checkout-speedup", [.. again, "--link-checkout-speedup"]);
        yield return new Step(Work.RecommitRoot, "ostree commit --devino-canonical", [.. again, "--devino-canonical"]);
        yield return Step.Prepare([Work.Advance, Work.Diff], [.. commit, "-b", "changed", $"--tree=dir={arena.PlainChanged}"]);
        yield return new Step(Work.Diff, "ostree diff", "ostree", "diff", repository, "main", "changed");
        yield return new Step(Work.Ls, "ostree ls -R", "ostree", "ls", repository, "-R", "main");
        yield return new Step(Work.Gc, "ostree prune", "ostree", "prune", repository, "--refs-only");
        yield return new Step(Work.Fsck, "ostree fsck", "ostree", "fsck", repository);
        yield return new Step(Work.Advance, "ostree checkout -H (in full)", "ostree", "checkout", repository, "-H", "changed", arena.At("r1"));
    }
}
