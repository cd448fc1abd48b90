using HackTree.Bench.Report;

namespace HackTree.Bench.Peers;

/// <summary>cp -al makes a tree of hardlinks.</summary>
internal sealed class HardlinkCopy : Contestant
{
    internal override string Name => "cp-al";

    internal override IReadOnlyList<string> VersionCommand => ["cp", "--version"];

    internal override string How =>
        "cp -al of a copy that was made untimed on the same filesystem. Does not sync; the time of a syncfs after it is added.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        yield return Step.Prepare([Work.Checkout], "cp", "-a", arena.Tree, arena.At("source"));
        yield return new Step(Work.Checkout, "cp -al", "cp", "-al", arena.At("source"), arena.At("r0"));
    }
}

/// <summary>cp -a makes a tree of copies, which share blocks if the filesystem can.</summary>
internal sealed class Copy : Contestant
{
    internal override string Name => "cp";

    internal override IReadOnlyList<string> VersionCommand => ["cp", "--version"];

    internal override string How =>
        "cp -a --reflink=auto: first from the source outside, so a real copy, "
        + "then inside of the filesystem, where XFS and btrfs share blocks. Does not sync; the time of a syncfs after it is added.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        yield return new Step(Work.First, "cp -a", "cp", "-a", "--reflink=auto", arena.Tree, arena.At("source")) { NeededFor = [Work.Checkout, Work.Du] };
        string[] copy = ["cp", "-a", "--reflink=auto", arena.At("source"), arena.At("r0")];
        yield return new Step(Work.Checkout, "cp -a --reflink=auto", copy);
        yield return new Step(Work.Du, "du -s of a copy", "du", "-s", arena.At("source"));
    }
}

/// <summary>rsync copies only what is missing.</summary>
internal sealed class Rsync : Contestant
{
    internal override string Name => "rsync";

    internal override IReadOnlyList<string> VersionCommand => ["rsync", "--version"];

    internal override string How =>
        "rsync -a (no xattrs, no ACLs). Commit again: the same copy once more. "
        + "Advance: a full copy is brought to the changed tree with --delete. Does not sync; the time of a syncfs after it is added.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string copy = arena.At("copy") + "/";
        string[] first = ["rsync", "-a", arena.Tree + "/", copy];
        yield return new Step(Work.First, "rsync -a", first) { NeededFor = [Work.Recommit, Work.Checkout, Work.Advance, Work.Diff] };
        yield return new Step(Work.Recommit, "rsync -a", "rsync", "-a", arena.Tree + "/", copy);
        yield return new Step(Work.Checkout, "rsync -a --link-dest", "rsync", "-a", $"--link-dest={copy}", copy, arena.At("r0") + "/");
        yield return new Step(Work.Checkout, "rsync -a", "rsync", "-a", copy, arena.At("r1") + "/") { NeededFor = [Work.Advance] };
        yield return new Step(Work.Diff, "rsync -nai --delete", "rsync", "-nai", "--delete", arena.Changed + "/", copy);
        yield return new Step(Work.Advance, "rsync -a --delete", "rsync", "-a", "--delete", arena.Changed + "/", arena.At("r1") + "/");
    }
}
