using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A root that is about to be turned into another commit. This store made it of hardlinks, but for an /etc of its own that it may have; it is
/// finished, unpinned and unused, and still the directory in its record.
/// </summary>
internal sealed class OldRoot : IDisposable
{
    private OldRoot(
        string path,
        RootRecord record,
        DirectoryIdentity directory,
        long sealedAt,
        Commit commit,
        SafeFileHandle parent,
        FileStatus status,
        SafeFileHandle top)
    {
        Path = path;
        Revision = record.Revision;
        Directory = directory;
        SealedAt = sealedAt;
        Digest = record.Commit;
        OwnsEtc = record.OwnsEtc;
        Commit = commit;
        Parent = parent;
        Status = status;
        Top = top;
    }

    /// <summary>Its absolute path.</summary>
    internal string Path { get; }

    /// <summary>Its commit as the user named it.</summary>
    internal string Revision { get; }

    /// <summary>The directory in the root's record.</summary>
    internal DirectoryIdentity Directory { get; }

    /// <summary>The change time of its directory when the root was finished (<see cref="RootRecord.SealedAt"/>).</summary>
    internal long SealedAt { get; }

    /// <summary>The digest of the commit it was made from.</summary>
    internal Digest Digest { get; }

    /// <summary>The commit it was made from.</summary>
    internal Commit Commit { get; }

    /// <summary>Whether the files below its /etc belong to it alone.</summary>
    internal bool OwnsEtc { get; }

    /// <summary>The directory above.</summary>
    internal SafeFileHandle Parent { get; }

    /// <summary>The status of its directory before it is renamed, which changes its change time.</summary>
    internal FileStatus Status { get; }

    /// <summary>The root's open directory.</summary>
    internal SafeFileHandle Top { get; }

    /// <summary>Opens the root at an absolute path. Throws <see cref="StoreException"/>, with the reason, if the root must stay.</summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The path.</param>
    /// <param name="movesEtc">Whether its /etc will be removed as a whole, even if that is not its own.</param>
    internal static OldRoot Require(ObjectStore store, string path, bool movesEtc)
    {
        RootRecord record = store.Roots.FindByPath(path)
            ?? throw new StoreException($"{path}: the store has no record of a root there", new Remedy.ListRoots());
        if (record.Method != CheckoutMethod.Hardlink)
        {
            throw new StoreException($"{path}: its files are copies, which may have been written to; check {record.Revision} out anew");
        }

        if (record is not { SealedAt: { } sealedAt, Directory: { } directory })
        {
            throw new StoreException(
                $"{path}: its checkout was interrupted at the end, so what was touched since cannot be told; check {record.Revision} out anew");
        }

        if (!store.Packs.TryReadCommit(record.Commit, out Commit? commit))
        {
            string fault = $"the commit it was made from, {record.Commit}, is missing";
            throw new CorruptException(path, fault, new Remedy.CheckStore()) { IsMissing = true };
        }

        if (record.OwnsEtc && BootFolder.HasOwnInitrd(store, commit, path))
        {
            // A failure could not give it back.
            throw new StoreException($"{path}: it has an initrd that its commit lacks; check {record.Revision} out anew");
        }

        SafeFileHandle parent = RootPath.OpenParent(path);
        SafeFileHandle? top = null;
        try
        {
            top = Open(parent, path, record.Revision, directory, out FileStatus status);
            RootUse.RequireFree(store, path, status, record);
            if ((record.OwnsEtc || movesEtc) && FixedFile.FindIn($"{path}/etc") is { } reason)
            {
                throw reason;
            }

            return new OldRoot(path, record, DirectoryIdentity.Of(status), sealedAt, commit, parent, status, top);
        }
        catch
        {
            top?.Dispose();
            parent.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The oldest root beside <paramref name="destination"/> that may be turned into another one; null if there is none. The newest root there, which
    /// may be the only one, is never taken: the machine boots that if nobody chooses. Nor is one that was made to be booted.
    /// </summary>
    internal static string? FindSpare(ObjectStore store, string destination)
    {
        string? above = System.IO.Path.GetDirectoryName(destination);
        return FindFree(store, store.Roots.Finished()
            .Select(root => root.Record)
            .Where(record => System.IO.Path.GetDirectoryName(store.Roots.AbsolutePath(record)) == above && IsThere(store, record))
            .OrderBy(record => record.Time)
            .ThenBy(record => record.SealedAt)
            .SkipLast(1)
            .Where(record => record is { State: RootState.Ready, OwnsEtc: false })
            .Select(store.Roots.AbsolutePath));
    }

    /// <summary>The first of these roots that may be turned into another one; null if there is none.</summary>
    internal static string? FindFree(ObjectStore store, IEnumerable<string> paths)
    {
        foreach (string path in paths)
        {
            try
            {
                Require(store, path, movesEtc: false).Dispose();
                return path;
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                // This root is in use, for example. Another one may do.
            }
        }

        return null;
    }

    /// <summary>Closes the open directories.</summary>
    public void Dispose()
    {
        Top.Dispose();
        Parent.Dispose();
    }

    private static bool IsThere(ObjectStore store, RootRecord record) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(store.Roots.AbsolutePath(record)), out FileStatus status) == Errno.None && record.IsOf(status);

    private static SafeFileHandle Open(SafeFileHandle parent, string path, string revision, DirectoryIdentity directory, out FileStatus status)
    {
        Errno errno = Sys.Open(parent, RootPath.NameOf(path), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        if (errno == Errno.ENOENT)
        {
            throw new StoreException($"{path}: it is recorded, but not there", new Remedy.DropRecord());
        }

        if (errno is not (Errno.ENOTDIR or Errno.ELOOP))
        {
            errno.ThrowIfFailed("openat", path);
        }

        Errno told = errno == Errno.None ? Sys.Stat(top, out status) : Sys.Stat(parent, RootPath.NameOf(path), out status);
        told.ThrowIfFailed("statx", path);
        if (errno != Errno.None || !directory.IsOf(status))
        {
            top.Dispose();
            RootUse.RequireNotHidden(path, status);
            throw new StoreException($"{path}: it is not the directory that was checked out there; check {revision} out anew");
        }

        return top;
    }
}
