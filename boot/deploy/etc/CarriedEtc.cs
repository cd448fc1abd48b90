using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>The /etc that a new root got from the root before it.</summary>
/// <param name="From">The name of that root: the running one, or else the default; null if it is not there.</param>
/// <param name="Changes">What was done.</param>
public sealed record CarriedEtc(string? From, IReadOnlyList<EtcChange> Changes)
{
    /// <summary>Says what <see cref="Into"/> would do, by a merge into a copy of the commit's /etc.</summary>
    internal static CarriedEtc Foresee(BootableRoots roots, ObjectStore store, string standing, DeployRequest request)
    {
        using var copy = ScratchCopy.Make(store, request.Commit, "etc", request.Revision);
        return Merge(roots, store, standing, request, copy.Path);
    }

    /// <summary>
    /// Merges the /etc of the root that runs, or else boots, into that of a new root (<see cref="EtcMerge"/>). The root of a converted disk is of no
    /// commit, so all that is in its /etc counts as added there.
    /// </summary>
    internal static CarriedEtc Into(BootableRoots roots, ObjectStore store, string standing, DeployRequest request, string newRoot) =>
        Merge(roots, store, standing, request, roots.PathOf(newRoot));

    private static CarriedEtc Merge(BootableRoots roots, ObjectStore store, string standing, DeployRequest request, string newPath)
    {
        string from = request.Bisect?.EtcFrom ?? roots.FindRunning() ?? standing;
        if (!roots.IsRoot(from))
        {
            return new CarriedEtc(null, []);
        }

        Digest? old = roots.RecordOf(from)?.Commit;
        return new CarriedEtc(from, EtcMerge.Run(store, old, roots.PathOf(from), request.Commit, newPath, request.MergesText));
    }
}
