using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>A root that is about to become another one: made by this store of hardlinks, finished, unpinned, unused, and still the directory that was recorded.</summary>
internal sealed class OldRoot : IDisposable
{
    private OldRoot(string path, string revision, DirectoryIdentity directory, long sealedAt, Commit commit, SafeFileHandle parent, FileStatus status, SafeFileHandle top)
    {
        Path = path;
        Revision = revision;
        Directory = directory;
        SealedAt = sealedAt;
        Commit = commit;
        Parent = parent;
        Status = status;
        Top = top;
    }

    /// <summary>Its absolute path.</summary>
    internal string Path { get; }

    /// <summary>Its commit as the user named it.</summary>
    internal string Revision { get; }

    /// <summary>The directory that was recorded, which is there.</summary>
    internal DirectoryIdentity Directory { get; }

    /// <summary>The change time of its directory when all was done (<see cref="RootRecord.SealedAt"/>).</summary>
    internal long SealedAt { get; }

    /// <summary>The commit it was made from.</summary>
    internal Commit Commit { get; }

    /// <summary>The directory it stands in.</summary>
    internal SafeFileHandle Parent { get; }

    /// <summary>What it was when it was looked at; a renaming changes its change time.</summary>
    internal FileStatus Status { get; }

    /// <summary>The root's directory, open.</summary>
    internal SafeFileHandle Top { get; }

    /// <summary>The root at the absolute path <paramref name="path"/>. Throws <see cref="StoreException"/>, with the reason, for one that must stay.</summary>
    internal static OldRoot Require(ObjectStore store, string path)
    {
        RootRecord record = store.Roots.FindByPath(path)
            ?? throw new StoreException($"{path}: the store has no record of a root there", new Remedy.ListRoots());
        if (record.Method != CheckoutMethod.Hardlink)
        {
            throw new StoreException($"{path}: its files are copies, which may have been written to; check {record.Revision} out anew");
        }

        if (record.OwnsEtc)
        {
            throw new StoreException($"{path}: it was made with --boot, and its /etc may have been changed since; check {record.Revision} out anew");
        }

        if (record is not { SealedAt: { } sealedAt, Directory: { } directory })
        {
            throw new StoreException($"{path}: its checkout was interrupted at the end, so what was touched since cannot be told; check {record.Revision} out anew");
        }

        if (!store.Packs.TryReadCommit(record.Commit, out Commit? commit))
        {
            throw new CorruptException(path, $"the commit it was made from, {record.Commit}, is missing", new Remedy.CheckStore()) { IsMissing = true };
        }

        SafeFileHandle parent = RootPath.OpenParent(path);
        SafeFileHandle? top = null;
        try
        {
            top = Open(parent, path, record.Revision, directory, out FileStatus status);
            RootUse.RequireFree(store, path, status, record);
            return new OldRoot(path, record.Revision, DirectoryIdentity.Of(status), sealedAt, commit, parent, status, top);
        }
        catch
        {
            top?.Dispose();
            parent.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The root that <c>--reuse</c> takes: the oldest of those beside <paramref name="destination"/> that may be taken; null where
    /// there is none.
    /// </summary>
    internal static string? FindSpare(ObjectStore store, string destination)
    {
        string? above = System.IO.Path.GetDirectoryName(destination);
        IEnumerable<RootRecord> candidates = store.Roots.Finished()
            .Select(root => root.Record)
            .Where(record => record.State == RootState.Ready && System.IO.Path.GetDirectoryName(store.Roots.AbsolutePath(record)) == above)
            .OrderBy(record => record.Time);
        foreach (RootRecord record in candidates)
        {
            string path = store.Roots.AbsolutePath(record);
            try
            {
                Require(store, path).Dispose();
                return path;
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                // In use, say; another one may serve.
            }
        }

        return null;
    }

    /// <summary>Closes what is open.</summary>
    public void Dispose()
    {
        Top.Dispose();
        Parent.Dispose();
    }

    private static SafeFileHandle Open(SafeFileHandle parent, string path, string revision, DirectoryIdentity directory, out FileStatus status)
    {
        Errno errno = Sys.Open(parent, RootPath.NameOf(path), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        if (errno == Errno.ENOENT)
        {
            throw new StoreException($"{path}: it is recorded, but not there", new Remedy.ForgetRoot());
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
            throw new StoreException($"{path}: it is not the directory that was checked out there; check {revision} out anew");
        }

        return top;
    }
}
