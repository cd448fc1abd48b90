using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>A commit that is durable with all that it needs. A ref can be set to nothing else.</summary>
public sealed class DurableCommit
{
    internal DurableCommit(Digest digest) => Digest = digest;

    /// <summary>The commit's digest.</summary>
    public Digest Digest { get; }
}

/// <summary>
/// The writers' turn for all refs of a store: flock(2), exclusive, on the directory refs/. One writer has it at a time, from reading a ref to writing it,
/// so that nobody overwrites what it has not seen. Setting and deleting refs is possible in the turn only.
/// </summary>
/// <remarks>
/// The turn is for milliseconds. Nothing in it calls syncfs(2), which waits until all that anybody wrote to the filesystem is on the disk: what a ref is
/// set to is durable before (<see cref="DurableCommit"/>), and the ref itself needs only fsync(2) of a small file and of directories.
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
    /// Takes the turn, and where another process has it waits for that process, as the store's opener is told. Throws <see cref="StoreException"/>
    /// where this process may not write to the store.
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

    /// <summary>The commit a ref names, which stays so in this turn; none where there is no such ref. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    public Digest Find(string name)
    {
        RequireTurn();
        return refs.Find(name);
    }

    /// <summary>Sets a ref, durably, and notes in its log <paramref name="why"/>.</summary>
    public void Set(string name, DurableCommit commit, string why)
    {
        RequireTurn();
        RefName.Require(name);
        Digest before = FindReadable(name);
        using SafeFileHandle directory = Refs.MakeParents(refs.Directory, name, refs.Subject(name));
        if (Sys.Stat(directory, Refs.LastComponent(name), out FileStatus status) == Errno.None && status.Type == FileType.Directory && !RemoveEmpty(name))
        {
            throw new StoreException($"there are refs below '{name}/', so '{name}' cannot be one itself");
        }

        // The log first: a full disk then stops us before the ref has moved, not after.
        refs.AppendLog(name, before, commit.Digest, why);
        DurableFile.WriteStaged(refs.Temporary, directory, Refs.LastComponent(name), Encoding.ASCII.GetBytes($"{commit.Digest}\n"), refs.Subject(name));
    }

    /// <summary>Deletes a ref, durably; its log stays.</summary>
    public void Delete(string name)
    {
        RequireTurn();
        Digest before = FindReadable(name);
        if (before.IsNone && !Exists(name))
        {
            throw new StoreException($"there is no ref '{name}'", new Remedy.ListRefs());
        }

        try
        {
            refs.AppendLog(name, before, default, "deleted");
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            // To delete refs, then gc, is the way out of a full disk.
        }

        Unlink(name);
    }

    /// <summary>Ends the turn.</summary>
    public void Dispose() => turn.Dispose();

    /// <summary>Removes a ref's file and the directories that are empty without it, and syncs the one above: what is gone there is gone with all below.</summary>
    private void Unlink(string name)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(name);
        Sys.Unlink(refs.Directory, bytes).ThrowIfFailed("unlinkat", refs.Subject(name));
        int above = name.LastIndexOf('/');

        // An empty directory would stand in the way of a ref of its name; one in use stays.
        while (above > 0 && Sys.RemoveDirectory(refs.Directory, bytes.AsSpan(0, above)) == Errno.None)
        {
            above = name.LastIndexOf('/', above - 1);
        }

        ReadOnlySpan<byte> changed = above > 0 ? bytes.AsSpan(0, above) : "."u8;
        Sys.OpenBeneath(refs.Directory, changed, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat2", refs.Subject(name));
        using (directory)
        {
            Sys.Sync(directory).ThrowIfFailed("fsync", refs.Subject(name));
        }
    }

    /// <summary>Removes a directory that holds nothing but empty ones, such as a killed command leaves; answers whether it could.</summary>
    private bool RemoveEmpty(string name)
    {
        var directories = new List<string> { name };
        var others = new List<string>();
        refs.Walk(name, directories, others);
        if (others.Count > 0)
        {
            return false;
        }

        // What is below comes later in the list.
        directories.Reverse();
        return directories.TrueForAll(directory => Sys.RemoveDirectory(refs.Directory, Refs.PathOf(directory)) == Errno.None);
    }

    /// <summary>What a ref names; none where it is damaged: setting it, or deleting it, is how that is mended.</summary>
    private Digest FindReadable(string name)
    {
        try
        {
            return refs.Find(name);
        }
        catch (Exception e) when (e is CorruptException or LinuxException { Errno: Errno.ELOOP })
        {
            return default;
        }
    }

    private bool Exists(string name) =>
        RefName.IsValid(name)
        && Sys.Stat(refs.Directory, Encoding.ASCII.GetBytes(name), out FileStatus status) == Errno.None
        && status.Type != FileType.Directory;

    private void RequireTurn() => Step.Require(!turn.IsClosed, "the turn has ended");
}
