using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>The records of checked-out roots: roots/&lt;name&gt;.json, where the name is the last component of the root's path.</summary>
public sealed class Roots : IDisposable
{
    private const string Suffix = ".json";

    // What a file name takes, less the hash and the suffix that may be added.
    private const int EntryLimit = 200;

    private readonly SafeFileHandle directory;
    private readonly SafeFileHandle temporary;
    private readonly string path;
    private readonly string physicalRoot;

    internal Roots(SafeFileHandle directory, SafeFileHandle temporary, string path, string physicalRoot)
    {
        this.directory = directory;
        this.temporary = temporary;
        this.path = path;
        this.physicalRoot = physicalRoot;
    }

    /// <summary>The names of all records, sorted.</summary>
    public List<string> Names()
    {
        using SafeFileHandle listing = DirectoryReader.Reopen(directory, path);
        var names = new List<string>();
        var reader = new DirectoryReader();
        reader.Start(listing, path);
        while (reader.Next())
        {
            string name = Encoding.UTF8.GetString(reader.Name);
            if (name.EndsWith(Suffix, StringComparison.Ordinal))
            {
                names.Add(name[..^Suffix.Length]);
            }
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>A record; null where there is none. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    public RootRecord? Find(string name)
    {
        if (AtomicFile.TryRead(directory, FileName(name), Subject(name)) is not { } bytes)
        {
            return null;
        }

        return RootRecord.Decode(bytes) is { } record && Digest.TryParse(record.Commit, out _)
            ? record
            : throw new CorruptException(Subject(name), "damaged", new Remedy.ReplaceRecord());
    }

    /// <summary>
    /// The record of the finished root at the absolute path <paramref name="rootPath"/>; null where there is none. Throws
    /// <see cref="CorruptException"/> for a damaged one that may be it: nobody may take such a root for one that is not pinned.
    /// </summary>
    public RootRecord? FindByPath(string rootPath) =>
        NamesFor(rootPath).Select(Find).FirstOrDefault(record => record is { State: not RootState.Partial } && record.Path == RecordedPath(rootPath));

    /// <summary>The record of the finished root that is the directory of that status; null where there is none.</summary>
    public RootRecord? FindByDirectory(FileStatus status) => IsBeside(status)
        ? Finished().Select(root => root.Record).FirstOrDefault(record => record.Inode is not null && record.IsOf(status))
        : null;

    /// <summary>The finished roots at and below the absolute path <paramref name="top"/>, by the names of their records.</summary>
    public IEnumerable<(string Name, RootRecord Record)> FindBelow(string top) =>
        Finished().Where(root => AbsolutePath(root.Record) is var place && (place == top || IsBelow(place, top)));

    /// <summary>
    /// The name under which the root at the absolute path <paramref name="rootPath"/> is recorded, or would be: its last component,
    /// made unique where another root has that name, or is being built under it.
    /// </summary>
    public string NameFor(string rootPath)
    {
        string[] names = NamesFor(rootPath);
        return names.FirstOrDefault(name => IsOurs(name) || IsOurs(PartialName(name)))
            ?? names.FirstOrDefault(name => Find(name) is null && Find(PartialName(name)) is null)
            ?? names[^1];

        bool IsOurs(string name) => Find(name) is { } record && record.Path == RecordedPath(rootPath);
    }

    /// <summary>
    /// Takes the turn to build the root of that name; held until disposed, or until the process ends. Answers false where
    /// another process has it. The file in tmp/ that carries the lock goes with it, or with the next gc.
    /// </summary>
    public bool TryTakeTurn(string name, [NotNullWhen(true)] out IDisposable? turn)
    {
        byte[] fileName = Encoding.UTF8.GetBytes($"building-{name}");
        while (true)
        {
            turn = null;
            Sys.Open(temporary, fileName, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, out SafeFileHandle file, FileModes.PrivateFile)
                .ThrowIfFailed("openat", Subject(name));
            Errno errno = Sys.Lock(file, LockKind.Exclusive, wait: false);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", Subject(name));
            if (errno == Errno.None && status.LinkCount > 0)
            {
                turn = new Turn(file, temporary, fileName);
                return true;
            }

            file.Dispose();
            if (errno != Errno.None)
            {
                return errno == Errno.EAGAIN ? false : throw new LinuxException(errno, "flock", Subject(name));
            }

            // Its holder removed the file between our opening and our locking it: the next turn is another file's.
        }
    }

    /// <summary>
    /// Takes the turn to change a root that is there. Throws <see cref="StoreException"/>, which calls it
    /// <paramref name="subject"/>, where another process has it.
    /// </summary>
    public IDisposable TakeTurn(string name, string subject) =>
        TryTakeTurn(name, out IDisposable? turn) ? turn : throw new StoreException($"{subject}: another process is at work on it; wait for that one");

    /// <summary>
    /// Writes a record, durably; <paramref name="inOrder"/>, its name lasts only once a later one does, which takes a filesystem that keeps
    /// names in order.
    /// </summary>
    public void Write(string name, RootRecord record, bool inOrder = false)
    {
        AtomicFile.Replace(temporary, directory, FileName(name), record.Encode(), Subject(name));
        if (!inOrder)
        {
            Sys.Sync(directory).ThrowIfFailed("fsync", Subject(name));
        }
    }

    /// <summary>
    /// The name under which a finished root is recorded that somebody calls by that name, or by its path. Throws
    /// <see cref="StoreException"/> where there is no such root.
    /// </summary>
    public string Require(string nameOrPath)
    {
        string rootPath = RealPath.OfName(nameOrPath);
        if (FindByPath(rootPath) is not null)
        {
            return NameFor(rootPath);
        }

        if (nameOrPath.Contains('/', StringComparison.Ordinal) || Find(nameOrPath) is not { State: not RootState.Partial } record)
        {
            throw new StoreException($"{nameOrPath}: there is no root of that name", new Remedy.ListRoots());
        }

        // Others that end in the same name have longer names here; whoever gives the short one may mean them.
        string[] alike = [.. Finished().Select(root => root.Record.Path).Where(path => System.IO.Path.GetFileName(path) == System.IO.Path.GetFileName(record.Path))];
        return alike.Length < 2 ? nameOrPath : throw new StoreException($"{nameOrPath}: it could be {string.Join(" or ", alike)}; name one by its path");
    }

    /// <summary>
    /// Pins a finished root, or unpins it. <paramref name="nameOrPath"/> is a record's name or the root's path. Throws
    /// <see cref="StoreException"/> where there is no such root.
    /// </summary>
    public void SetState(string nameOrPath, RootState state)
    {
        string name = Require(nameOrPath);
        using IDisposable turn = TakeTurn(name, nameOrPath);
        if (Find(name) is { State: not RootState.Partial } record)
        {
            Write(name, record with { State = state });
        }
    }

    /// <summary>Removes a record, if it is there.</summary>
    public void Remove(string name)
    {
        Errno errno = Sys.Unlink(directory, FileName(name));
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", Subject(name));
        }
    }

    /// <summary>Whether the absolute path <paramref name="path"/> lies below <paramref name="top"/>.</summary>
    public static bool IsBelow(string path, string top) => path.StartsWith(top == "/" ? top : top + "/", StringComparison.Ordinal) && path != top;

    /// <summary>The path to write into a record for the absolute path <paramref name="rootPath"/>.</summary>
    public string RecordedPath(string rootPath)
    {
        return IsBelow(rootPath, physicalRoot) ? rootPath[(physicalRoot.TrimEnd('/').Length + 1)..] : rootPath;
    }

    /// <summary>The absolute path that a record means now: the physical root may be mounted elsewhere than when it was made.</summary>
    public string AbsolutePath(RootRecord record) => System.IO.Path.Combine(physicalRoot, record.Path);

    /// <summary>
    /// Whether a record's path leads to the directory that it did when the root was made: only then does it mean something that the root
    /// is not there. False where it was not recorded.
    /// </summary>
    internal bool IsInPlace(RootRecord record) =>
        record.Above is { } above
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(System.IO.Path.GetDirectoryName(AbsolutePath(record))!), out FileStatus status) == Errno.None
        && status.Inode == above
        && (record.IsRoot == false || IsBeside(status));

    /// <summary>The name of the record that a root has while it is built.</summary>
    public static string PartialName(string name) => name + ".partial";

    /// <summary>Where a root stands while it is built, beside its final place.</summary>
    public static string PartialPath(string rootPath) =>
        System.IO.Path.Combine(System.IO.Path.GetDirectoryName(rootPath)!, $".{System.IO.Path.GetFileName(rootPath)}.partial");

    /// <summary>Closes the directory.</summary>
    public void Dispose() => directory.Dispose();

    /// <summary>A record; null where there is none, or a damaged one.</summary>
    public RootRecord? FindReadable(string name)
    {
        try
        {
            return Find(name);
        }
        catch (CorruptException)
        {
            return null;
        }
    }

    /// <summary>The names that a root's record may have, the first one if no other root has it.</summary>
    private string[] NamesFor(string rootPath)
    {
        string name = System.IO.Path.GetFileName(rootPath);
        string hash = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(RecordedPath(rootPath))).ToString("x16", CultureInfo.InvariantCulture);
        return Encoding.UTF8.GetByteCount(name) > EntryLimit ? [hash] : [name, $"{name}-{hash}"];
    }

    /// <summary>Whether it is on the store's filesystem, as roots are.</summary>
    private bool IsBeside(in FileStatus status) => Sys.Stat(directory, out FileStatus own) == Errno.None && own.Device == status.Device;

    private IEnumerable<(string Name, RootRecord Record)> Finished()
    {
        foreach (string name in Names())
        {
            if (FindReadable(name) is { State: not RootState.Partial } record)
            {
                yield return (name, record);
            }
        }
    }

    /// <summary>A lock file, removed while the lock is still held, so that nobody else can hold what is removed.</summary>
    private sealed class Turn(SafeFileHandle file, SafeFileHandle temporary, byte[] fileName) : IDisposable
    {
        public void Dispose()
        {
            _ = Sys.Unlink(temporary, fileName);
            file.Dispose();
        }
    }

    private static byte[] FileName(string name) => Encoding.UTF8.GetBytes(name + Suffix);

    private string Subject(string name) => $"{path}/{name}{Suffix}";
}
