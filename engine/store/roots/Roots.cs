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
    private const string Partial = ".partial";

    // What a file name takes, less the hash and the suffix that may be added.
    private const int EntryLimit = 200;
    private const int HashLength = 16;

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

    /// <summary>
    /// The record that <see cref="Names"/> lists under that name; null where there is none. Throws <see cref="CorruptException"/> for a
    /// damaged one.
    /// </summary>
    public RootEntry? Read(string name)
    {
        if (AtomicFile.TryRead(directory, FileName(name), Subject(name)) is not { } bytes)
        {
            return null;
        }

        return RootEntry.Decode(name, bytes) ?? throw new CorruptException(Subject(name), "damaged", new Remedy.ReplaceRecord());
    }

    /// <summary>The record of a whole root; null where there is none. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    public RootRecord? Find(string name) => Read(name) as RootRecord;

    /// <summary>
    /// The record of the finished root at the absolute path <paramref name="rootPath"/>; null where there is none. Throws
    /// <see cref="CorruptException"/> for a damaged one that may be it: nobody may take such a root for one that is not pinned.
    /// </summary>
    public RootRecord? FindByPath(string rootPath) =>
        NamesFor(rootPath).Select(Find).FirstOrDefault(record => record?.Path == RecordedPath(rootPath));

    /// <summary>The record of the finished root that is the directory of that status; null where there is none.</summary>
    public RootRecord? FindByDirectory(FileStatus status) => IsBeside(status)
        ? Finished().Select(root => root.Record).FirstOrDefault(record => record.Directory?.IsOf(status) == true)
        : null;

    /// <summary>The finished roots at and below the absolute path <paramref name="top"/>, by the names of their records.</summary>
    public IEnumerable<(string Name, RootRecord Record)> FindBelow(string top) =>
        Finished().Where(root => AbsolutePath(root.Record) is var place && (place == top || IsBelow(place, top)));

    /// <summary>The records of all whole roots; damaged ones are passed over.</summary>
    public IEnumerable<(string Name, RootRecord Record)> Finished()
    {
        foreach (string name in Names().Where(name => !IsPartial(name)))
        {
            RootRecord? record;
            try
            {
                record = Find(name);
            }
            catch (CorruptException)
            {
                continue;
            }

            if (record is not null)
            {
                yield return (name, record);
            }
        }
    }

    /// <summary>
    /// The name under which the root at the absolute path <paramref name="rootPath"/> is recorded, or would be: its last component,
    /// made unique where another root has that name, or is being built under it.
    /// </summary>
    public string NameFor(string rootPath)
    {
        string[] names = NamesFor(rootPath);
        return names.FirstOrDefault(name => IsOurs(name) || IsOurs(PartialName(name)))
            ?? names.FirstOrDefault(name => Read(name) is null && Read(PartialName(name)) is null)
            ?? names[^1];

        bool IsOurs(string name) => Read(name) is { } record && record.Path == RecordedPath(rootPath);
    }

    /// <summary>
    /// Takes the turn to make or change the root at the absolute path <paramref name="rootPath"/>. Answers false where another process
    /// has it. The file in tmp/ that carries the lock goes with the turn, or with the next gc.
    /// </summary>
    public bool TryTakeTurnAt(string rootPath, [NotNullWhen(true)] out RootTurn? turn)
    {
        while (true)
        {
            string name = NameFor(rootPath);
            if (!TryTakeTurn(name, out turn))
            {
                return false;
            }

            try
            {
                // Before the turn was ours, a root elsewhere may have got that name.
                if (NameFor(rootPath) == name)
                {
                    return true;
                }
            }
            catch
            {
                turn.Dispose();
                throw;
            }

            turn.Dispose();
        }
    }

    /// <summary>
    /// Takes the turn to change the root whose record has that name. Throws <see cref="StoreException"/>, which calls the root
    /// <paramref name="subject"/>, where another process has the turn.
    /// </summary>
    public RootTurn TakeTurn(string name, string subject) => TryTakeTurn(name, out RootTurn? turn) ? turn : throw InUse(subject);

    /// <summary>The same for the root at an absolute path.</summary>
    public RootTurn TakeTurnAt(string rootPath) => TryTakeTurnAt(rootPath, out RootTurn? turn) ? turn : throw InUse(rootPath);

    /// <summary>The turn of gc, which holds the store's lock alone: nobody else can have a turn, and a full disk may have no place for a lock's file.</summary>
    internal RootTurn TurnWhileAlone(string name) => new(directory, temporary, path, name, file: null);

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

        if (nameOrPath.Contains('/', StringComparison.Ordinal) || Find(nameOrPath) is not { } record)
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
        using RootTurn turn = TakeTurn(name, nameOrPath);
        if (Find(name) is { } record)
        {
            turn.Write(record with { State = state });
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
    public string AbsolutePath(RootEntry record) => System.IO.Path.Combine(physicalRoot, record.Path);

    /// <summary>
    /// True if the parent directory in the record is still the same inode. Only then does a missing root prove that it was removed.
    /// False for records without a parent inode.
    /// </summary>
    internal bool IsInPlace(RootEntry record) =>
        record.Above is { } above
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(System.IO.Path.GetDirectoryName(AbsolutePath(record))!), out FileStatus status) == Errno.None
        && status.Inode == above
        && (record is BuildRecord { BecomesRoot: false } || IsBeside(status));

    /// <summary>The name of the record that the root <paramref name="name"/> has while it is built.</summary>
    public static string PartialName(string name) => name + Partial;

    /// <summary>Whether a record of that name is one of a root that is being built: a <see cref="BuildRecord"/>.</summary>
    public static bool IsPartial(string name) => name.EndsWith(Partial, StringComparison.Ordinal);

    /// <summary>The name of the root whose record, of either kind, has that name.</summary>
    internal static string NameOfRoot(string name) => IsPartial(name) ? name[..^Partial.Length] : name;

    /// <summary>Where a root stands while it is built, beside its final place.</summary>
    public static string PartialPath(string rootPath) =>
        System.IO.Path.Combine(System.IO.Path.GetDirectoryName(rootPath)!, $".{System.IO.Path.GetFileName(rootPath)}.partial");

    /// <summary>Closes the directory.</summary>
    public void Dispose() => directory.Dispose();

    /// <summary>Whether a record of that name can be the one of a root at that path. The hash in it may be of the path on another machine.</summary>
    internal static bool IsNameOf(string name, string rootPath)
    {
        string last = System.IO.Path.GetFileName(rootPath);
        return Encoding.UTF8.GetByteCount(last) > EntryLimit
            ? name.Length == HashLength
            : name == last || (name.Length == last.Length + 1 + HashLength && name.StartsWith($"{last}-", StringComparison.Ordinal));
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

    private bool TryTakeTurn(string name, [NotNullWhen(true)] out RootTurn? turn)
    {
        byte[] fileName = RootTurn.LockName(name);
        while (true)
        {
            turn = null;
            Sys.Open(temporary, fileName, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, out SafeFileHandle file, FileModes.PrivateFile)
                .ThrowIfFailed("openat", Subject(name));
            Errno errno = Sys.Lock(file, LockKind.Exclusive, wait: false);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", Subject(name));
            if (errno == Errno.None && status.LinkCount > 0)
            {
                turn = new RootTurn(directory, temporary, path, name, file);
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

    private static StoreException InUse(string subject) => new($"{subject}: another process is at work on it; wait for that one");

    internal static byte[] FileName(string name) => Encoding.UTF8.GetBytes(name + Suffix);

    private string Subject(string name) => $"{path}/{name}{Suffix}";
}
