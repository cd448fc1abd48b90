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
        + "Pulls come from an archive repository behind nginx, to a bare one. "
        + "It has no advance: there its time is that of another full checkout -H.";

    internal override bool KeepsXattrs => true;

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string repository = $"--repo={arena.At("repo")}";
        string[] commit = ["ostree", "commit", repository, "-s", "bench"];
        string[] again = [.. commit, "-b", "main", $"--tree=dir={arena.At("r0")}"];
        yield return Step.Prepare(PlainWorks, "ostree", "init", repository, "--mode=bare");
        yield return new Step(Work.First, "ostree commit", [.. commit, "-b", "main", $"--tree=dir={arena.Plain}"]) { NeededFor = PlainWorks };
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
        foreach (Step step in Pulls(arena, [.. commit, "-b", "main", $"--tree=dir={arena.PlainChanged}"]))
        {
            yield return step;
        }
    }

    private static IEnumerable<Step> Pulls(Arena arena, string[] update)
    {
        string[] both = [Work.Pull, Work.PullUpdate];
        string archive = $"--repo={arena.At("archive")}", deltas = $"--repo={arena.At("deltas")}", files = $"--repo={arena.At("files")}";
        string[] publish = ["ostree", "pull-local", archive, arena.At("repo"), "main"], list = ["ostree", "summary", archive, "-u"];
        yield return Step.Prepare(both, "ostree", "init", archive, "--mode=archive");
        foreach (string client in (string[])[deltas, files])
        {
            yield return Step.Prepare(both, "ostree", "init", client, "--mode=bare");
            yield return Step.Prepare(both, "ostree", "remote", "add", client, "--no-gpg-verify", "bench", $"{arena.Url}/archive");
        }

        yield return Step.Prepare(both, publish);
        yield return Step.Prepare(both, list);
        yield return new Step(Work.Pull, "ostree pull", "ostree", "pull", files, "bench", "main") { NeededFor = [Work.PullUpdate] };

        // From nothing: one large part where there would be a file for each object.
        yield return Step.Prepare(both, "ostree", "static-delta", "generate", archive, "--empty", "main");
        yield return Step.Prepare(both, list);
        yield return new Step(Work.Pull, "ostree pull, static delta", "ostree", "pull", deltas, "bench", "main") { NeededFor = [Work.PullUpdate] };
        yield return Step.Prepare([Work.PullUpdate], update);
        yield return Step.Prepare([Work.PullUpdate], publish);
        yield return Step.Prepare([Work.PullUpdate], list);
        yield return new Step(Work.PullUpdate, "ostree pull", "ostree", "pull", files, "bench", "main");
        yield return Step.Prepare([Work.PullUpdate], "ostree", "static-delta", "generate", archive, "main");
        yield return Step.Prepare([Work.PullUpdate], list);
        yield return new Step(Work.PullUpdate, "ostree pull, static delta", "ostree", "pull", deltas, "bench", "main");
    }
}
