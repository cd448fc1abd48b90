using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>A commit that is durable with everything that it needs. A ref can be set only to such a commit.</summary>
public sealed class DurableCommit
{
    internal DurableCommit(Digest digest) => Digest = digest;

    /// <summary>The commit's digest.</summary>
    public Digest Digest { get; }
}

/// <summary>
/// The turn to change refs of a store: an exclusive flock(2) on the directory refs/. One process at a time has it, from reading a ref to
/// writing the ref. So no process overwrites a change that it has not seen. Refs can be set and deleted only in the turn.
/// </summary>
/// <remarks>
/// A process holds the turn for milliseconds. Nothing in the turn calls syncfs(2), which waits until everything that any process wrote to
/// the filesystem is on the disk. The commit is durable before the turn is taken (<see cref="DurableCommit"/>). The ref itself needs only
/// fsync(2) of a small file and of directories.
/// </remarks>
public sealed class RefTurn : IDisposable
{
    private readonly Refs refs;
    private readonly SafeFileHandle turn;

    private RefTurn(Refs refs, SafeFileHandle turn)
    {
        this.refs = refs;
        this.turn = turn;
    }

    /// <summary>
    /// Takes the turn. If another process has it, calls <see cref="ObjectStore.OnWait"/> and waits for that process. Throws
    /// <see cref="StoreException"/> if this process may not write to the store.
    /// </summary>
    public static RefTurn Take(ObjectStore store)
    {
        store.RequireWritable();
        SafeFileHandle turn = DirectoryReader.Reopen(store.Refs.Directory, store.Refs.Path);
        try
        {
            Flock.Take(turn, LockKind.Exclusive, store.Refs.Path, store.OnWait, store.Stop);
            return new RefTurn(store.Refs, turn);
        }
        catch
        {
            turn.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The commit that a ref names; none if there is no such ref. No other process can change the ref during this turn. Throws
    /// <see cref="CorruptException"/> if the ref is damaged.
    /// </summary>
    public Digest Find(string name)
    {
        RequireTurn();
        return refs.Find(name);
    }

    /// <summary>Sets a ref, durably. <paramref name="why"/> is written to its log.</summary>
    public void Set(string name, DurableCommit commit, string why)
    {
        RequireTurn();
        RefName.Require(name);
        Digest before = FindReadable(name);
        if (before.IsNone)
        {
            refs.RequireNoAlias(name);
        }

        using SafeFileHandle directory = Refs.MakeParents(refs.Directory, name, refs.Subject(name));
        if (Sys.Stat(directory, Refs.LastComponent(name), out FileStatus status) == Errno.None && status.Type == FileType.Directory && !RemoveEmpty(name))
        {
            throw new StoreException($"there are refs below '{name}/', so '{name}' cannot be one itself");
        }

        // The log is written first. So a full disk stops this call before the ref has changed, not after.
        refs.AppendLog(name, before, commit.Digest, why);
        DurableFile.WriteStaged(refs.Temporary, directory, Refs.LastComponent(name), Encoding.ASCII.GetBytes($"{commit.Digest}\n"), refs.Subject(name));
    }

    /// <summary>
    /// Makes a name an alias, durably, or gives an alias another target. Throws <see cref="StoreException"/> if the target leads to no ref or
    /// back to the name, or if there is a ref of the name, or one above or below it.
    /// </summary>
    public void SetAlias(string name, string target)
    {
        RequireTurn();
        RefName.Require(name);
        if (Exists(name))
        {
            throw new StoreException($"'{name}' is a ref itself; delete it first, or give the alias another name");
        }

        if (refs.Follow(target).Commit.IsNone)
        {
            throw new StoreException($"there is no ref '{target}'", new Remedy.ListRefs());
        }

        for (string? next = target; next is not null; next = refs.Aliases.TargetOf(next))
        {
            if (next == name)
            {
                throw new StoreException($"'{target}' leads to '{name}', so '{name}' cannot be an alias of it");
            }
        }

        refs.RequireRoom(name);
        refs.Aliases.Set(name, target);
    }

    /// <summary>Deletes a ref or an alias, durably. A ref's log stays. Throws <see cref="StoreException"/> if an alias leads to it.</summary>
    public void Delete(string name)
    {
        RequireTurn();
        bool isRef = Exists(name), isAlias = refs.Aliases.Has(name);
        if (!isRef && !isAlias)
        {
            throw new StoreException($"there is no ref '{name}'", new Remedy.ListRefs());
        }

        RequireNoAliasOf(name);
        if (isAlias)
        {
            refs.Aliases.Remove(name);
        }

        if (isRef)
        {
            DeleteRef(name);
        }
    }

    private void DeleteRef(string name)
    {
        Digest before = FindReadable(name);
        try
        {
            refs.AppendLog(name, before, default, "deleted");
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            // A user frees a full disk by deleting refs and then running gc. So the ref is deleted without a line in its log.
        }

        Unlink(name);
    }

    /// <summary>Ends the turn.</summary>
    public void Dispose() => turn.Dispose();

    /// <summary>
    /// Removes a ref's file and each directory that is empty without it. Then syncs only the directory above: if the removed name there is
    /// durably gone, everything below it is gone too.
    /// </summary>
    private void Unlink(string name)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(name);
        Sys.Unlink(refs.Directory, bytes).ThrowIfFailed("unlinkat", refs.Subject(name));
        int above = name.LastIndexOf('/');

        // An empty directory would stand in the way of a ref with its name. A directory that is not empty stays.
        while (above > 0 && Sys.RemoveDirectory(refs.Directory, bytes.AsSpan(0, above)) == Errno.None)
        {
            above = name.LastIndexOf('/', above - 1);
        }

        ReadOnlySpan<byte> changed = above > 0 ? bytes.AsSpan(0, above) : "."u8;
        Sys.OpenBeneath(refs.Directory, changed, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory)
            .ThrowIfFailed("openat2", refs.Subject(name));
        using (directory)
        {
            Sys.Sync(directory).ThrowIfFailed("fsync", refs.Subject(name));
        }
    }

    /// <summary>
    /// Removes a directory if there are only empty directories below it. A killed command may leave such directories. False if the
    /// directory stays.
    /// </summary>
    private bool RemoveEmpty(string name)
    {
        var directories = new List<string> { name };
        var others = new List<string>();
        Refs.Walk(refs.Directory, refs.Path, name, directories, others);
        if (others.Count > 0)
        {
            return false;
        }

        // The list has a directory before the directories below it.
        directories.Reverse();
        return directories.TrueForAll(directory => Sys.RemoveDirectory(refs.Directory, Refs.PathOf(directory)) == Errno.None);
    }

    /// <summary>The commit that a ref names; none if the ref is damaged. A damaged ref is repaired by setting or deleting it.</summary>
    private Digest FindReadable(string name)
    {
        try
        {
            return refs.FindOwn(name);
        }
        catch (CorruptException)
        {
            return default;
        }
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if an alias names something that would be gone. Aliases in a circle lead nowhere, so each can be deleted.
    /// </summary>
    private void RequireNoAliasOf(string name)
    {
        List<string> others = refs.Aliases.List().FindAll(other => other != name && LeadsTo(other, name));
        if (others.Count > 0)
        {
            throw new StoreException($"'{name}' has the alias '{string.Join("', '", others)}'; delete that first, or give it another ref");
        }
    }

    private bool LeadsTo(string alias, string name)
    {
        try
        {
            return refs.Aliases.TargetOf(alias) == name && !refs.Find(alias).IsNone;
        }
        catch (CorruptException)
        {
            return false;
        }
    }

    private bool Exists(string name) =>
        RefName.IsValid(name)
        && Sys.Stat(refs.Directory, Encoding.ASCII.GetBytes(name), out FileStatus status) == Errno.None
        && status.Type != FileType.Directory;

    private void RequireTurn() => Step.Require(!turn.IsClosed, "the turn has ended");
}
