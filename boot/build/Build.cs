using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>A commit that was built.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="IsUnchanged">Whether it has the tree of the commit that the command ran in.</param>
/// <param name="Notes">One sentence for each kind of thing that was left out.</param>
/// <param name="CommitTime">How long it took to commit what the command had changed.</param>
public sealed record BuildOutcome(Digest Commit, bool IsUnchanged, IReadOnlyList<string> Notes, TimeSpan CommitTime);

/// <summary>The command of a build failed.</summary>
public sealed class BuildFailedException(int exitCode) : StoreException($"the command failed with exit code {exitCode}, and nothing was committed")
{
    /// <summary>The exit code of the command.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>A build: a command runs in a commit's tree, and what it changed becomes a commit.</summary>
public static class Build
{
    /// <summary>
    /// Runs a build. Throws <see cref="BuildFailedException"/> if the command fails, and <see cref="StoreException"/> if its root cannot be set up.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="basis">The commit that the command runs in.</param>
    /// <param name="revision">That commit as the user named it.</param>
    /// <param name="request">What is run.</param>
    /// <param name="describe">Describes the new commit. It is called when the command has ended.</param>
    public static BuildOutcome Run(ObjectStore store, Digest basis, string revision, BuildRequest request, Func<CommitRequest> describe)
    {
        using BuildPlace place = BuildPlace.Make(store, basis, revision);
        int code = store.RunUnlocked(() => BuildRun.Run(place, request, store.Stop));
        if (code != 0)
        {
            throw new BuildFailedException(code);
        }

        long started = Stopwatch.GetTimestamp();
        using var additions = new Additions(store);
        ImportResult tree = place.Import(additions, new ImportOptions { Excludes = BuildRun.Unrecorded });
        bool isUnchanged = tree.IsTreeOf(store.Packs.ReadCommit(basis));
        Digest commit = Committer.Run(additions, tree, describe());
        return new BuildOutcome(commit, isUnchanged, tree.Notes, Stopwatch.GetElapsedTime(started));
    }
}
