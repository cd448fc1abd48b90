using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Transfer;

/// <summary>What must be so before a commit is taken from elsewhere, or sent there. Each throws <see cref="StoreException"/> if it is not.</summary>
internal static class Requirements
{
    /// <summary>A commit must not be older than the one that the ref names.</summary>
    internal static void RequireNewer(ObjectStore store, string subject, string refName, Commit commit)
    {
        Digest before = store.Refs.Find(refName);
        if (!before.IsNone && store.Packs.TryReadCommit(before, out Commit? own) && own.Time > commit.Time)
        {
            throw new StoreException(
                $"{subject}: commit {Digest.Of(commit.Encode()).ToShortString()} of {RefRecord.Time(commit.Time)} is older than {before.ToShortString()} "
                + $"of {RefRecord.Time(own.Time)} that {refName} has; --allow-downgrade takes it");
        }
    }

    /// <summary>
    /// What was made here and is nowhere else must not be lost: the commit that the ref names came from elsewhere, is there, or is an ancestor of the new one.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="subject">Where the new commit comes from.</param>
    /// <param name="refName">The ref.</param>
    /// <param name="commit">The new commit. Its parents need not be here.</param>
    /// <param name="isThere">Whether the place that the new commit comes from has a commit.</param>
    internal static void RequireNothingLost(ObjectStore store, string subject, string refName, Commit commit, Func<Digest, bool> isThere)
    {
        Digest digest = Digest.Of(commit.Encode());
        Digest before = store.Refs.Find(refName);
        if (before.IsNone || RefHistory.Has(store, [digest, .. commit.Parents], before)
            || store.Refs.CameFromElsewhere(refName, before) || isThere(before))
        {
            return;
        }

        throw new StoreException(
            $"{subject}: {refName} is commit {before.ToShortString()} here, which is not there and no ancestor of {digest.ToShortString()}: it would be lost",
            new Remedy.KeepCommit(refName));
    }

    /// <summary>A ref elsewhere must name an ancestor of the commit that is pushed to it, or none.</summary>
    internal static void RequireDescendant(ObjectStore store, string subject, PushRequest request, Digest commit, Digest before)
    {
        if (!request.Force && !before.IsNone && !RefHistory.Has(store, [commit], before))
        {
            throw new StoreException(
                $"{subject}: {request.Ref} is commit {before.ToShortString()} there, which is no ancestor of {commit.ToShortString()}; "
                + "pull it first, or replace it with --force");
        }
    }

    /// <summary>A store is pushed no signed record of a ref.</summary>
    internal static void RequireNoRecord(string subject, PushRequest request)
    {
        if (request.Record is not null)
        {
            throw new StoreException($"{subject}: a store takes no signed record of a ref; push it to a registry or to a directory that is served");
        }
    }

    /// <summary>A new ref of a remote must be neither above nor below another one: no store could have both.</summary>
    internal static void RequireFree(Remote remote, string refName)
    {
        string? other = Refs(remote).FirstOrDefault(other => RefName.IsBelow(other, refName) || RefName.IsBelow(refName, other));
        if (other is not null)
        {
            throw new StoreException($"{remote.Subject}: there is a ref '{other}', so '{refName}' cannot be one beside it; push it by another name");
        }
    }

    // Before the first push there is nothing, and some registries do not list tags.
    private static IReadOnlyList<string> Refs(Remote remote)
    {
        try
        {
            return remote.Refs();
        }
        catch (StoreException)
        {
            return [];
        }
    }

    /// <summary>There must be room for so many bytes.</summary>
    internal static void RequireSpace(ObjectStore store, long bytes)
    {
        using SafeFileHandle folder = OpenPath.Directory(store.Path);
        Sys.FreeSpaceOf(folder, out FreeSpace free).ThrowIfFailed("fstatfs", store.Path);
        if (free.Bytes < bytes)
        {
            string message = string.Create(CultureInfo.InvariantCulture, $"{store.Path}: {bytes:N0} bytes are to be stored, and {free.Bytes:N0} are free");
            throw new StoreException(message, new Remedy.FreeSpace());
        }
    }
}
