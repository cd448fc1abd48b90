using System.Globalization;
using HackTree.Bench.Report;

namespace HackTree.Bench.Peers;

/// <summary>The calls that any program that makes the same files needs: without a store, a record or a check.</summary>
internal sealed class FloorProgram : Contestant
{
    internal override string Name => Summary.Floor;

    internal override IReadOnlyList<string> VersionCommand => ["cc", "--version"];

    internal override string How =>
        "bench/native/floor.c and find(1). Names and digests are known before its clock starts, "
        + "and a checkout links to what its first commit made; nothing it does is recorded or checked.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string threads = arena.Threads.ToString(CultureInfo.InvariantCulture);
        string[] store = [arena.HackTree, "--quiet", "--store", arena.At("objects")];
        const string facts = "%p %s %T@ %C@ %i\n";
        yield return new Step(Work.First, "bare calls", arena.Floor, "commit", arena.Tree, arena.Place, threads)
        {
            IsSelfTimed = true,
            NeededFor = [Work.RecommitRoot, Work.Checkout, Work.Advance],
        };
        yield return new Step(Work.Recommit, "find -printf", "find", arena.Tree, "-printf", facts);
        yield return new Step(Work.Checkout, "bare calls", arena.Floor, "checkout", arena.Tree, arena.Place, threads)
        {
            IsSelfTimed = true,
            NeededFor = [Work.RecommitRoot, Work.Advance],
        };
        yield return new Step(Work.RecommitRoot, "find -printf", "find", arena.At("root"), "-printf", facts);
        string[] advance = [arena.Floor, "advance", arena.Tree, arena.Changed, arena.Place, threads];
        yield return new Step(Work.Advance, "bare calls", advance) { IsSelfTimed = true };
        yield return Step.Prepare([Work.Gc, Work.Fsck], arena.HackTree, "--quiet", "init", arena.At("objects"));
        yield return Step.Prepare([Work.Gc, Work.Fsck], [.. store, "commit", "-b", "main", arena.Tree]);
        yield return Step.Prepare([Work.Gc, Work.Fsck], [.. store, "commit", "-b", "changed", arena.Changed]);
        yield return new Step(Work.Gc, "find", "find", arena.At("objects/files"), "-printf", "");
        yield return new Step(Work.Fsck, "SHA-256", arena.Floor, "hash", arena.At("objects/files"), threads) { IsSelfTimed = true };
    }
}
