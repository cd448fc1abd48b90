using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Reads the refs of a store. Each ref is a file below refs/ with the content "&lt;64 hex&gt;\n", which is replaced atomically. A log below
/// logs/ has the commits that the ref named before. Refs are changed in a <see cref="RefTurn"/>.
/// </summary>
public sealed partial class Refs : IDisposable
{
    // Nobody needs as many. More than that are a circle.
    private const int MostAliases = 8;

    // A ref has 65 bytes. An editor's copy of one may have more.
    private const int MaxStrangerLength = 4096;

    private readonly SafeFileHandle logs;
    private readonly string storePath;

    internal Refs(SafeFileHandle refs, SafeFileHandle logs, Aliases aliases, SafeFileHandle temporary, string storePath)
    {
        Directory = refs;
        Aliases = aliases;
        this.logs = logs;
        Temporary = temporary;
        this.storePath = storePath;
    }

    /// <summary>The directory refs/, open.</summary>
    internal SafeFileHandle Directory { get; }

    /// <summary>Names that mean what a ref means.</summary>
    internal Aliases Aliases { get; }

    /// <summary>The directory tmp/, open.</summary>
    internal SafeFileHandle Temporary { get; }

    /// <summary>The path of refs/, for messages.</summary>
    internal string Path => $"{storePath}/refs";

    /// <summary>
    /// The commit that a ref, or an alias of one, names; none if there is no such ref. Throws <see cref="CorruptException"/> if the ref or an alias is damaged.
    /// </summary>
    public Digest Find(string name) => Follow(name).Commit;

    /// <summary>The target of an alias; null if there is no such alias. Throws <see cref="CorruptException"/> if the alias is damaged.</summary>
    public string? AliasOf(string name) => Aliases.TargetOf(name);

    /// <summary>The names of all aliases, sorted. A ref of the same name hides an alias.</summary>
    public List<string> AliasNames() => Aliases.List();

    /// <summary>
    /// Goes from a name over aliases to a ref. The ref's name, and its commit; or the last name that was found, and no commit. Throws
    /// <see cref="CorruptException"/> if the ref or an alias is damaged.
    /// </summary>
    public (string Name, Digest Commit) Follow(string name)
    {
        string end = name;
        for (int left = MostAliases; ; left--)
        {
            if (FindOwn(end) is { IsNone: false } commit)
            {
                return (end, commit);
            }

            if (Aliases.TargetOf(end) is not { } target)
            {
                return (end, default);
            }

            string tooMany = $"it leads over more than {MostAliases} aliases, or in a circle";
            end = left > 0 ? target : throw new CorruptException(Aliases.Subject(name), tooMany, new Remedy.SetAlias());
        }
    }

    /// <summary>The names of all refs, and of all aliases that lead to one, sorted.</summary>
    public List<string> Names()
    {
        List<string> names = List();
        foreach (string alias in Aliases.List())
        {
            if (names.BinarySearch(alias, StringComparer.Ordinal) is var at and < 0 && Leads(alias))
            {
                names.Insert(~at, alias);
            }
        }

        return names;
    }

    /// <summary>Whether an alias leads to a ref that can be read.</summary>
    private bool Leads(string alias)
    {
        try
        {
            return !Find(alias).IsNone;
        }
        catch (CorruptException)
        {
            return false;
        }
    }

    /// <summary>The commit that a ref itself names. An alias of that name means nothing here.</summary>
    internal Digest FindOwn(string name)
    {
        var remedy = new Remedy.SetRef(LogSubject(name));
        byte[]? bytes = RefName.IsValid(name)
            ? SmallFile.TryRead(Directory, Encoding.ASCII.GetBytes(name), Subject(name), mayBeDirectory: true, remedy: remedy)
            : null;
        if (bytes is null)
        {
            return default;
        }

        bool isRef = bytes.Length == Digest.HexLength + 1 && bytes[^1] == (byte)'\n';
        return isRef && Digest.TryParse(bytes.AsSpan(0, Digest.HexLength), out Digest digest) && !digest.IsNone
            ? digest
            : throw new CorruptException(Subject(name), "damaged", remedy);
    }

    /// <summary>The names of all refs, sorted, without aliases.</summary>
    public List<string> List() => List([]);

    /// <summary>
    /// All refs with their commits. Throws <see cref="CorruptException"/> if a ref is damaged. What can be no ref is given to
    /// <paramref name="onStranger"/>: a file with a name that no ref can have, or something that is no regular file, such as a socket.
    /// </summary>
    internal List<(string Name, Digest Commit)> All(Action<string> onStranger)
    {
        var strangers = new List<string>();
        var found = new List<(string Name, Digest Commit)>();
        foreach (string name in List(strangers))
        {
            if (Sys.Stat(Directory, PathOf(name), out FileStatus status) == Errno.None && status.Type != FileType.Regular)
            {
                strangers.Add(name);
            }
            else if (FindOwn(name) is { IsNone: false } commit)
            {
                found.Add((name, commit));
            }
        }

        // A ref that was deleted after the listing is left out.
        strangers.ForEach(onStranger);
        return found;
    }

    /// <summary>The bytes of a file below refs/ that is no ref; none if it is no regular file, or too large for a ref.</summary>
    internal byte[] ReadStranger(string name) =>
        Sys.Stat(Directory, PathOf(name), out FileStatus status) == Errno.None && status.Type == FileType.Regular && status.Size <= MaxStrangerLength
            ? SmallFile.TryRead(Directory, PathOf(name), Subject(name)) ?? []
            : [];

    /// <summary>The names of all refs, sorted. Names that no ref can have are added to <paramref name="strangers"/>.</summary>
    internal List<string> List(List<string> strangers)
    {
        var names = new List<string>();
        var others = new List<string>();
        Walk(Directory, Path, "", [], others);
        foreach (string other in others)
        {
            (RefName.IsValid(other) ? names : strangers).Add(other);
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if no ref can have the name, if an existing ref or alias is above or below it, or if it is an alias.
    /// <see cref="RefTurn.Set"/> refuses the same names. A command that calls this first is refused before the work of a commit.
    /// </summary>
    public void RequireFree(string name)
    {
        RefName.Require(name);
        RequireRoom(name);
        RequireNoAlias(name);
    }

    /// <summary>Throws <see cref="StoreException"/> if there is an alias of the name, and no ref.</summary>
    internal void RequireNoAlias(string name)
    {
        if (Aliases.TargetOf(name) is { } target && FindOwn(name).IsNone)
        {
            throw new StoreException($"'{name}' is an alias of '{target}', so it cannot be set itself; set '{target}', or delete the alias first");
        }
    }

    /// <summary>Throws <see cref="StoreException"/> if a ref or an alias is above or below a name.</summary>
    internal void RequireRoom(string name)
    {
        // The other refs are not listed: a commit should not take longer where there are many.
        List<string> aliases = Aliases.List();
        if (aliases.Exists(alias => RefName.IsBelow(alias, name)) || HasBelow(name))
        {
            throw new StoreException($"there are refs below '{name}/', so '{name}' cannot be one itself");
        }

        if ((aliases.Find(alias => RefName.IsBelow(name, alias)) ?? FindAbove(name)) is { } above)
        {
            throw new StoreException($"'{above}' is a ref itself, so '{name}' cannot be below it");
        }
    }

    private bool HasBelow(string name)
    {
        var others = new List<string>();
        if (Sys.Stat(Directory, PathOf(name), out FileStatus status) == Errno.None && status.Type == FileType.Directory)
        {
            Walk(Directory, Path, name, [], others);
        }

        return others.Exists(RefName.IsValid);
    }

    /// <summary>The ref that a name would be below; null if there is none.</summary>
    private string? FindAbove(string name)
    {
        for (int end = name.IndexOf('/'); end >= 0; end = name.IndexOf('/', end + 1))
        {
            if (Sys.Stat(Directory, PathOf(name[..end]), out FileStatus status) == Errno.None && status.Type != FileType.Directory)
            {
                return name[..end];
            }
        }

        return null;
    }

    /// <summary>Closes the directories.</summary>
    public void Dispose()
    {
        Directory.Dispose();
        logs.Dispose();
    }

    /// <summary>Opens the directory of a ref's file below <paramref name="top"/>. Directories that are missing are made, durably.</summary>
    internal static SafeFileHandle MakeParents(SafeFileHandle top, string name, string subject)
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

    /// <summary>
    /// Finds everything below a directory of refs/ or logs/, without recursion. Adds the directories to <paramref name="directories"/>, each before
    /// the directories below it, and all other names to <paramref name="others"/>. A directory whose path is longer than a ref's name is
    /// one of the others. It is not entered, because no ref can be in it.
    /// </summary>
    internal static void Walk(SafeFileHandle room, string path, string top, List<string> directories, List<string> others)
    {
        var waiting = new Stack<string>([top]);
        var reader = new DirectoryReader();
        while (waiting.TryPop(out string? below))
        {
            Errno errno = Sys.OpenBeneath(room, PathOf(below), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
            if (errno == Errno.ENOENT)
            {
                continue;
            }

            errno.ThrowIfFailed("openat2", $"{path}/{below}");
            using (directory)
            {
                reader.Start(directory, $"{path}/{below}");
                while (TryNext(reader))
                {
                    string name = (below.Length == 0 ? "" : below + "/") + Encoding.Latin1.GetString(reader.Name);
                    if (reader.FindType() == FileType.Directory && name.Length <= RefName.MaxLength)
                    {
                        directories.Add(name);
                        waiting.Push(name);
                    }
                    else
                    {
                        others.Add(name);
                    }
                }
            }
        }
    }

    /// <summary>
    /// Reads the next entry; false at the end. If the directory was removed with its last ref while it was open, the kernel answers ENOENT,
    /// which is the end too.
    /// </summary>
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

    /// <summary>The path of a name below refs/, as bytes. The empty name means refs/ itself.</summary>
    internal static byte[] PathOf(string name) => name.Length == 0 ? [(byte)'.'] : Encoding.Latin1.GetBytes(name);

    /// <summary>The name of a ref's file in its directory.</summary>
    internal static byte[] LastComponent(string name) => Encoding.ASCII.GetBytes(name[(name.LastIndexOf('/') + 1)..]);

    /// <summary>The path of a ref, for messages.</summary>
    internal string Subject(string name) => $"{storePath}/refs/{name}";
}
