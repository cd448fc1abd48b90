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

    // The longest name of a record: a file name's 255 bytes must also hold a hash and suffixes.
    private const int EntryLimit = 200;
    private const int HashLength = 16;

    // A record has less than 6 KiB: a path may have 4095 bytes.
    private const int MaxDamagedLength = 64 * 1024;

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
    /// Reads a record that <see cref="Names"/> lists; null if there is none. Throws <see cref="CorruptException"/> if it is damaged.
    /// </summary>
    public RootEntry? Read(string name)
    {
        if (SmallFile.TryRead(directory, FileName(name), Subject(name)) is not { } bytes)
        {
            return null;
        }

        return RootEntry.Decode(name, bytes) ?? throw new CorruptException(Subject(name), "damaged", new Remedy.ReplaceRecord());
    }

    /// <summary>The bytes of a record that is damaged; none if it is no regular file, or too large for a record.</summary>
    internal byte[] ReadDamaged(string name) =>
        Sys.Stat(directory, FileName(name), out FileStatus status) == Errno.None && status.Type == FileType.Regular && status.Size <= MaxDamagedLength
            ? SmallFile.TryRead(directory, FileName(name), Subject(name)) ?? []
            : [];

    /// <summary>Reads the record of a whole root; null if there is none. Throws <see cref="CorruptException"/> if it is damaged.</summary>
    public RootRecord? Find(string name) => Read(name) as RootRecord;

    /// <summary>
    /// The record of the finished root at an absolute path; null if there is none. Throws <see cref="CorruptException"/> for a damaged
    /// record that may be the root's, so that no caller takes a pinned root for one that is not pinned.
    /// </summary>
    public RootRecord? FindByPath(string rootPath) =>
        NamesFor(rootPath).Select(Find).FirstOrDefault(record => record?.Path == RecordedPath(rootPath));

    /// <summary>
    /// Whether a root has its own name and no record of its own, because its maker was killed between the two. If it has one, it may have been pinned since.
    /// </summary>
    /// <param name="build">The record of its making.</param>
    public bool LacksRecord(BuildRecord build)
    {
        string path = AbsolutePath(build);
        bool isRecorded = FindByPath(path) is { Directory: { } recorded } record
            && build.Directory is { } built
            && recorded.IsSame(built)
            && record.Commit == build.Commit;
        return build.BecomesRoot && build.IsAt(path) && !isRecorded;
    }

    /// <summary>The record of the finished root whose directory has that status; null if there is none.</summary>
    public RootRecord? FindByDirectory(FileStatus status) => IsBeside(status)
        ? Finished().Select(root => root.Record).FirstOrDefault(record => record.Directory?.IsOf(status) == true)
        : null;

    /// <summary>The finished roots at and below the absolute path <paramref name="top"/>, with the names of their records.</summary>
    public IEnumerable<(string Name, RootRecord Record)> FindBelow(string top) =>
        Finished().Where(root => AbsolutePath(root.Record) is var place && (place == top || IsBelow(place, top)));

    /// <summary>The finished roots whose directories are there, with the names of their records.</summary>
    public IEnumerable<(string Name, RootRecord Record)> Present() => Finished().Where(root => System.IO.Directory.Exists(AbsolutePath(root.Record)));

    /// <summary>The records of all whole roots. Damaged records are skipped.</summary>
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
    /// The name of the record of the root at the absolute path <paramref name="rootPath"/>, whether it exists or not. It is the last
    /// component of the path, made unique if another root has that name or is being built under it.
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
    /// Takes the turn to make or change the root at the absolute path <paramref name="rootPath"/>. False if another process has it. The
    /// lock's file in tmp/ is removed at the end of the turn, or by the next gc.
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
                // Before this process had the turn, a root elsewhere may have got that name.
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
    /// Takes the turn to change the root whose record has that name. Throws <see cref="StoreException"/> if another process has the turn;
    /// <paramref name="subject"/> names the root in the message.
    /// </summary>
    public RootTurn TakeTurn(string name, string subject) => TryTakeTurn(name, out RootTurn? turn) ? turn : throw InUse(subject);

    /// <summary>
    /// Takes the turn to change the root at an absolute path. Throws <see cref="StoreException"/> if another process has it.
    /// </summary>
    public RootTurn TakeTurnAt(string rootPath) => TryTakeTurnAt(rootPath, out RootTurn? turn) ? turn : throw InUse(rootPath);

    /// <summary>
    /// The turn of a process that holds the store's lock exclusively, such as gc. It needs no lock's file, for which a full disk may have no room: no
    /// other process can have a turn.
    /// </summary>
    internal RootTurn TurnWhileAlone(string name) => new(directory, temporary, path, name, file: null);

    /// <summary>
    /// The name of the record of a finished root that the user named by that name or by its path. Throws <see cref="StoreException"/> if
    /// there is no such root.
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

        // Other roots with the same last component have longer names here. A user who gives the short name may mean one of them.
        string last = System.IO.Path.GetFileName(record.Path);
        string[] alike = [.. Finished().Select(root => root.Record.Path).Where(path => System.IO.Path.GetFileName(path) == last)];
        return alike.Length < 2 || nameOrPath != last
            ? nameOrPath
            : throw new StoreException($"{nameOrPath}: it could be {string.Join(" or ", alike)}; name one by its path");
    }

    /// <summary>
    /// Pins or unpins a finished root. <paramref name="nameOrPath"/> is the record's name or the root's path. Throws
    /// <see cref="StoreException"/> if there is no such root.
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

    /// <summary>The form of the absolute path <paramref name="rootPath"/> in a record.</summary>
    public string RecordedPath(string rootPath)
    {
        return IsBelow(rootPath, physicalRoot) ? rootPath[(physicalRoot.TrimEnd('/').Length + 1)..] : rootPath;
    }

    /// <summary>
    /// The absolute path that a record means now. The physical root may be mounted elsewhere than when the record was made.
    /// </summary>
    public string AbsolutePath(RootEntry record) => System.IO.Path.Combine(physicalRoot, record.Path);

    /// <summary>
    /// Whether the parent directory in the record is still the same inode. Only then does a missing root prove that it was removed. False
    /// for records without a parent inode.
    /// </summary>
    internal bool IsInPlace(RootEntry record) =>
        record.Above is { } above
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(System.IO.Path.GetDirectoryName(AbsolutePath(record))!), out FileStatus status) == Errno.None
        && status.Inode == above
        && (record is BuildRecord { BecomesRoot: false } || IsBeside(status));

    /// <summary>The name of a root's build record, for the name of its record.</summary>
    public static string PartialName(string name) => name + Partial;

    /// <summary>Whether a record of that name is a <see cref="BuildRecord"/>.</summary>
    public static bool IsPartial(string name) => name.EndsWith(Partial, StringComparison.Ordinal);

    /// <summary>The name of a root's record, for the name of either of its records.</summary>
    internal static string NameOfRoot(string name) => IsPartial(name) ? name[..^Partial.Length] : name;

    /// <summary>The path of a root while it is built, beside its final path.</summary>
    public static string PartialPath(string rootPath) =>
        System.IO.Path.Combine(System.IO.Path.GetDirectoryName(rootPath)!, $".{System.IO.Path.GetFileName(rootPath)}.partial");

    /// <summary>Closes the directory.</summary>
    public void Dispose() => directory.Dispose();

    /// <summary>
    /// Whether a root at that path can have a record of that name. The hash in the name may be that of the path on another machine.
    /// </summary>
    internal static bool IsNameOf(string name, string rootPath)
    {
        string last = System.IO.Path.GetFileName(rootPath);
        return Encoding.UTF8.GetByteCount(last) > EntryLimit
            ? name.Length == HashLength
            : name == last || (name.Length == last.Length + 1 + HashLength && name.StartsWith($"{last}-", StringComparison.Ordinal));
    }

    /// <summary>The possible names of a root's record. The first one is used if no other root has it.</summary>
    private string[] NamesFor(string rootPath)
    {
        string name = System.IO.Path.GetFileName(rootPath);
        string hash = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(RecordedPath(rootPath))).ToString("x16", CultureInfo.InvariantCulture);
        return Encoding.UTF8.GetByteCount(name) > EntryLimit ? [hash] : [name, $"{name}-{hash}"];
    }

    /// <summary>Whether a file is on the store's filesystem, as all roots are.</summary>
    private bool IsBeside(in FileStatus status) => Sys.Stat(directory, out FileStatus own) == Errno.None && own.Device == status.Device;

    private bool TryTakeTurn(string name, [NotNullWhen(true)] out RootTurn? turn)
    {
        byte[] fileName = RootTurn.LockName(name);
        string subject = RootTurn.LockPath(System.IO.Path.GetDirectoryName(path)!, name);
        while (true)
        {
            turn = null;
            _ = StoreFile.Open(temporary, fileName, OpenFlags.ReadWrite | OpenFlags.Create, subject, out SafeFileHandle file, FileModes.PrivateFile);
            Errno errno = Sys.Lock(file, LockKind.Exclusive, wait: false);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            if (errno == Errno.None && status.LinkCount > 0)
            {
                turn = new RootTurn(directory, temporary, path, name, file);
                return true;
            }

            file.Dispose();
            if (errno != Errno.None)
            {
                return errno == Errno.EAGAIN ? false : throw new LinuxException(errno, "flock", subject);
            }

            // The holder removed the file after this process opened it and before it locked it. The next turn is another file's.
        }
    }

    private static StoreException InUse(string subject) => new($"{subject}: another process is at work on it; wait for that one");

    internal static byte[] FileName(string name) => Encoding.UTF8.GetBytes(name + Suffix);

    private string Subject(string name) => $"{path}/{name}{Suffix}";
}
