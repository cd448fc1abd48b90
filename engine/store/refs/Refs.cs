using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The refs of a store: one file each below refs/, "&lt;64 hex&gt;\n", replaced atomically, and a log beside it of where it
/// has been. This class reads them; they are changed in a <see cref="RefTurn"/>.
/// </summary>
public sealed class Refs : IDisposable
{
    // A line has some 150 bytes: a million moves of one ref.
    private const int MaxLogLength = 256 * 1024 * 1024;

    private readonly SafeFileHandle logs;
    private readonly string storePath;

    internal Refs(SafeFileHandle refs, SafeFileHandle logs, SafeFileHandle temporary, string storePath)
    {
        Directory = refs;
        this.logs = logs;
        Temporary = temporary;
        this.storePath = storePath;
    }

    /// <summary>refs/, open.</summary>
    internal SafeFileHandle Directory { get; }

    /// <summary>tmp/, open.</summary>
    internal SafeFileHandle Temporary { get; }

    /// <summary>The path of refs/, for messages.</summary>
    internal string Path => $"{storePath}/refs";

    /// <summary>The commit a ref names; none where there is no such ref. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    public Digest Find(string name)
    {
        if (!RefName.IsValid(name) || SmallFile.TryRead(Directory, Encoding.ASCII.GetBytes(name), Subject(name)) is not { } bytes)
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
        var others = new List<string>();
        Walk("", [], others);
        foreach (string other in others)
        {
            (RefName.IsValid(other) ? names : strangers).Add(other);
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> for a name that no ref can have, or none beside the refs there are: what
    /// <see cref="RefTurn.Set"/> would refuse too, but before the work of a commit.
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

    /// <summary>The lines of a ref's log, oldest first, as <see cref="RefChange"/> reads them; of a ref that was deleted too.</summary>
    public IReadOnlyList<string> Log(string name) =>
        RefName.IsValid(name) && SmallFile.TryRead(logs, Encoding.ASCII.GetBytes(name + ".log"), LogSubject(name), MaxLogLength) is { } bytes
            ? Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : [];

    /// <summary>Closes the directories.</summary>
    public void Dispose()
    {
        Directory.Dispose();
        logs.Dispose();
    }

    /// <summary>Adds a line to a ref's log.</summary>
    internal void AppendLog(string name, Digest before, Digest after, string why)
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

    /// <summary>Opens the directory that has a ref's last component, and makes what is missing on the way from <paramref name="top"/>, durably.</summary>
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
    /// Finds all that is below a directory of refs/, without recursion: directories, each before those below it, and other names. A directory with a
    /// path longer than a ref's name is one of the others, and what is in it is passed over: no ref can be there.
    /// </summary>
    internal void Walk(string top, List<string> directories, List<string> others)
    {
        var waiting = new Stack<string>([top]);
        var reader = new DirectoryReader();
        while (waiting.TryPop(out string? below))
        {
            Errno errno = Sys.OpenBeneath(Directory, PathOf(below), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
            if (errno == Errno.ENOENT)
            {
                continue;
            }

            errno.ThrowIfFailed("openat2", Subject(below));
            using (directory)
            {
                reader.Start(directory, Subject(below));
                while (TryNext(reader))
                {
                    string name = (below.Length == 0 ? "" : below + "/") + Encoding.Latin1.GetString(reader.Name);
                    Errno found = Sys.Stat(directory, reader.Name, out FileStatus status);
                    if (found == Errno.None && status.Type == FileType.Directory && name.Length <= RefName.MaxLength)
                    {
                        directories.Add(name);
                        waiting.Push(name);
                    }
                    else if (found != Errno.ENOENT)
                    {
                        others.Add(name);
                    }
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

    /// <summary>The path of a name below refs/, as bytes; of the empty name, refs/ itself.</summary>
    internal static byte[] PathOf(string name) => name.Length == 0 ? [(byte)'.'] : Encoding.Latin1.GetBytes(name);

    /// <summary>The name of a ref's file in its directory.</summary>
    internal static byte[] LastComponent(string name) => Encoding.ASCII.GetBytes(name[(name.LastIndexOf('/') + 1)..]);

    /// <summary>A ref's name in messages.</summary>
    internal string Subject(string name) => $"{storePath}/refs/{name}";

    private string LogSubject(string name) => $"{storePath}/logs/{name}.log";
}
