using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The refs of a store: one file each below refs/, "&lt;64 hex&gt;\n", replaced atomically, and a log beside it of where it
/// has been. Writers take turns, so that nobody overwrites what he has not seen.
/// </summary>
public sealed class Refs : IDisposable
{
    // A line has some 150 bytes: a million moves of one ref.
    private const int MaxLogLength = 256 * 1024 * 1024;

    private readonly SafeFileHandle refs;
    private readonly SafeFileHandle logs;
    private readonly SafeFileHandle temporary;
    private readonly string path;
    private readonly CancellationToken stop;

    internal Refs(SafeFileHandle refs, SafeFileHandle logs, SafeFileHandle temporary, string path, CancellationToken stop)
    {
        this.refs = refs;
        this.logs = logs;
        this.temporary = temporary;
        this.path = path;
        this.stop = stop;
    }

    /// <summary>Takes the writers' turn: hold it from reading a ref to writing it. Ends when disposed.</summary>
    public IDisposable TakeTurn()
    {
        SafeFileHandle turn = DirectoryReader.Reopen(refs, path);
        try
        {
            Stop.Lock(turn, LockKind.Exclusive, stop).ThrowIfFailed("flock", path);
            return turn;
        }
        catch
        {
            turn.Dispose();
            throw;
        }
    }

    /// <summary>The commit a ref names; none where there is no such ref. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    public Digest Find(string name)
    {
        if (!RefName.IsValid(name) || SmallFile.TryRead(refs, Encoding.ASCII.GetBytes(name), Subject(name)) is not { } bytes)
        {
            return default;
        }

        bool isRef = bytes.Length == Digest.HexLength + 1 && bytes[^1] == (byte)'\n';
        return isRef && Digest.TryParse(bytes.AsSpan(0, Digest.HexLength), out Digest digest) && !digest.IsNone
            ? digest
            : throw new CorruptException(Subject(name), "damaged", new Remedy.SetRef(LogSubject(name)));
    }

    /// <summary>All refs' names, sorted.</summary>
    public List<string> List() => List([]);

    /// <summary>
    /// All refs with their commits. Throws <see cref="CorruptException"/> for a damaged one, and for a file that is no
    /// ref and may have been one.
    /// </summary>
    internal List<(string Name, Digest Commit)> All()
    {
        var strangers = new List<string>();
        List<string> names = List(strangers);
        if (strangers.Count > 0)
        {
            throw new CorruptException(Subject(strangers[0]), "no ref can have that name", new Remedy.CheckStore());
        }

        // One that was deleted since it was listed is none.
        List<(string Name, Digest Commit)> found = names.ConvertAll(name => (name, Find(name)));
        found.RemoveAll(r => r.Commit.IsNone);
        return found;
    }

    /// <summary>All refs' names, sorted; what else is there goes to <paramref name="strangers"/>.</summary>
    internal List<string> List(List<string> strangers)
    {
        var names = new List<string>();
        ListInto(names, strangers, "");
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> for a name that no ref can have, or none beside the refs there are: what
    /// <see cref="Set"/> would refuse too, but before the work of a commit.
    /// </summary>
    public void RequireFree(string name)
    {
        RefName.Require(name);
        foreach (string other in List())
        {
            if (other.StartsWith(name + "/", StringComparison.Ordinal))
            {
                throw new StoreException($"there are refs below '{name}/', so '{name}' cannot be one itself");
            }

            if (name.StartsWith(other + "/", StringComparison.Ordinal))
            {
                throw new StoreException($"'{other}' is a ref itself, so '{name}' cannot be below it");
            }
        }
    }

    /// <summary>
    /// Sets a ref, durably, and notes in its log <paramref name="why"/>. Take the turn first. The commit and all it needs
    /// must be durable already.
    /// </summary>
    public void Set(string name, Digest commit, string why)
    {
        RefName.Require(name);
        Digest before = FindReadable(name);
        using SafeFileHandle directory = MakeParents(refs, name, Subject(name));
        if (IsDirectory(directory, LastComponent(name)) && !RemoveEmpty(directory, LastComponent(name), Subject(name)))
        {
            throw new StoreException($"there are refs below '{name}/', so '{name}' cannot be one itself");
        }

        // The log first: a full disk then stops us before the ref has moved, not after.
        AppendLog(name, before, commit, why);
        DurableFile.WriteStaged(temporary, directory, LastComponent(name), Encoding.ASCII.GetBytes($"{commit}\n"), Subject(name));
    }

    /// <summary>Deletes a ref; its log stays. Take the turn first.</summary>
    public void Delete(string name)
    {
        Digest before = FindReadable(name);
        if (before.IsNone && !Exists(name))
        {
            throw new StoreException($"there is no ref '{name}'", new Remedy.ListRefs());
        }

        try
        {
            AppendLog(name, before, default, "deleted");
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            // To delete refs, then gc, is the way out of a full disk.
        }

        Unlink(name);
    }

    private void Unlink(string name)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(name);
        Sys.Unlink(refs, bytes).ThrowIfFailed("unlinkat", Subject(name));
        for (int slash = name.LastIndexOf('/'); slash > 0; slash = name.LastIndexOf('/', slash - 1))
        {
            // An empty directory would stand in the way of a ref of its name; one in use stays.
            if (Sys.RemoveDirectory(refs, bytes.AsSpan(0, slash)) != Errno.None)
            {
                break;
            }
        }

        Sys.SyncFilesystem(refs).ThrowIfFailed("syncfs", Subject(name));
    }

    /// <summary>The lines of a ref's log, oldest first, as <see cref="RefChange"/> reads them; of a ref that was deleted too.</summary>
    public IReadOnlyList<string> Log(string name) =>
        RefName.IsValid(name) && SmallFile.TryRead(logs, Encoding.ASCII.GetBytes(name + ".log"), LogSubject(name), MaxLogLength) is { } bytes
            ? Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : [];

    /// <summary>Closes the directories.</summary>
    public void Dispose()
    {
        refs.Dispose();
        logs.Dispose();
    }

    private void AppendLog(string name, Digest before, Digest after, string why)
    {
        using SafeFileHandle directory = MakeParents(logs, name, LogSubject(name));
        byte[] fileName = [.. LastComponent(name), .. ".log"u8];
        Sys.Open(directory, fileName, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Append | OpenFlags.NoFollow, out SafeFileHandle file, FileModes.PublicFile)
            .ThrowIfFailed("openat", LogSubject(name));
        using (file)
        {
            // A full disk may have cut the last line short: that one stays as it is, on a line of its own.
            string start = EndsInLine(file, LogSubject(name)) ? "" : "\n";
            var change = new RefChange(before, after, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), why.ReplaceLineEndings(" "));

            // Not synced: nothing is decided by a log, so the last lines before a power cut are not worth a flush in each commit.
            Sys.Write(file, Encoding.UTF8.GetBytes($"{start}{change}\n")).ThrowIfFailed("write", LogSubject(name));
        }
    }

    private static bool EndsInLine(SafeFileHandle file, string subject)
    {
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
        Span<byte> last = [(byte)'\n'];
        Sys.ReadAt(file, last, Math.Max(status.Size - 1, 0), out _).ThrowIfFailed("pread", subject);
        return last[0] == (byte)'\n';
    }

    private static SafeFileHandle MakeParents(SafeFileHandle top, string name, string subject)
    {
        SafeFileHandle current = DirectoryReader.Reopen(top, subject);
        string[] components = name.Split('/');
        foreach (string component in components[..^1])
        {
            byte[] bytes = Encoding.ASCII.GetBytes(component);
            using SafeFileHandle above = current;
            Errno made = Sys.MakeDirectory(above, bytes, FileModes.PublicDirectory);
            if (made == Errno.None)
            {
                Sys.Sync(above).ThrowIfFailed("fsync", subject);
            }
            else if (made != Errno.EEXIST)
            {
                made.ThrowIfFailed("mkdirat", subject);
            }

            Errno opened = Sys.Open(above, bytes, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out current);
            if (opened == Errno.ENOTDIR)
            {
                throw new StoreException($"'{component}' in '{name}' is a ref itself, so no ref can be below it");
            }

            opened.ThrowIfFailed("openat", subject);
        }

        return current;
    }

    private static bool IsDirectory(SafeFileHandle above, ReadOnlySpan<byte> name) =>
        Sys.Stat(above, name, out FileStatus status) == Errno.None && status.Type == FileType.Directory;

    /// <summary>Removes a directory that holds nothing but empty ones, such as a killed command leaves; answers whether it could.</summary>
    private static bool RemoveEmpty(SafeFileHandle above, ReadOnlySpan<byte> name, string subject)
    {
        if (Sys.RemoveDirectory(above, name) == Errno.None)
        {
            return true;
        }

        Sys.Open(above, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle directory).ThrowIfFailed("openat", subject);
        using (directory)
        {
            var reader = new DirectoryReader();
            reader.Start(directory, subject);
            while (reader.Next())
            {
                if (!IsDirectory(directory, reader.Name) || !RemoveEmpty(directory, reader.Name, subject))
                {
                    return false;
                }
            }
        }

        return Sys.RemoveDirectory(above, name) == Errno.None;
    }

    private void ListInto(List<string> names, List<string> strangers, string below)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(below.Length == 0 ? "." : below);
        Errno errno = Sys.OpenBeneath(refs, bytes, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
        if (errno == Errno.ENOENT)
        {
            return;
        }

        errno.ThrowIfFailed("openat2", Subject(below));
        using (directory)
        {
            var reader = new DirectoryReader();
            reader.Start(directory, Subject(below));
            while (TryNext(reader))
            {
                string name = (below.Length == 0 ? "" : below + "/") + Encoding.Latin1.GetString(reader.Name);
                Errno found = Sys.Stat(directory, reader.Name, out FileStatus status);
                if (found == Errno.None && status.Type == FileType.Directory)
                {
                    ListInto(names, strangers, name);
                }
                else if (found != Errno.ENOENT)
                {
                    (RefName.IsValid(name) ? names : strangers).Add(name);
                }
            }
        }
    }

    /// <summary>Moves on; a directory that was removed with its last ref while it was open has no more entries, and says ENOENT.</summary>
    private static bool TryNext(DirectoryReader reader)
    {
        try
        {
            return reader.Next();
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }

    /// <summary>What a ref names; none where it is damaged: setting it, or deleting it, is how that is mended.</summary>
    private Digest FindReadable(string name)
    {
        try
        {
            return Find(name);
        }
        catch (Exception e) when (e is CorruptException or LinuxException { Errno: Errno.ELOOP })
        {
            return default;
        }
    }

    private bool Exists(string name) =>
        RefName.IsValid(name)
        && Sys.Stat(refs, Encoding.ASCII.GetBytes(name), out FileStatus status) == Errno.None
        && status.Type != FileType.Directory;

    private static ReadOnlySpan<byte> LastComponent(string name) => Encoding.ASCII.GetBytes(name[(name.LastIndexOf('/') + 1)..]);

    private string Subject(string name) => $"{path}/{name}";

    private string LogSubject(string name) => $"{path[..^4]}logs/{name}.log";
}
