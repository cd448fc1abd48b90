using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <content>The log of each ref, below logs/.</content>
public sealed partial class Refs
{
    // A line has about 150 bytes, so this is enough for more than a million changes of one ref.
    private const int MaxLogLength = 256 * 1024 * 1024;

    /// <summary>The lines of a ref's log, oldest first. <see cref="RefChange"/> reads a line. A deleted ref still has its log.</summary>
    public IReadOnlyList<string> Log(string name) =>
        RefName.IsValid(name) && SmallFile.TryRead(logs, Encoding.ASCII.GetBytes(name + ".log"), LogSubject(name), MaxLogLength) is { } bytes
            ? Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : [];

    /// <summary>Whether a ref's log says that a commit came from elsewhere. A line may be lost, so false does not say that it was made here.</summary>
    public bool CameFromElsewhere(string name, Digest commit) =>
        Log(name).Any(line => RefChange.TryParse(line) is { IsArrival: true } change && change.After == commit);

    /// <summary>Adds a line to a ref's log.</summary>
    internal void AppendLog(string name, Digest before, Digest after, string why)
    {
        using SafeFileHandle directory = MakeParents(logs, name, LogSubject(name));
        byte[] fileName = [.. LastComponent(name), .. ".log"u8];
        const OpenFlags flags = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Append;
        _ = StoreFile.Open(directory, fileName, flags, LogSubject(name), out SafeFileHandle file, FileModes.PublicFile);
        using (file)
        {
            // A full disk may have cut the last line short. It stays as it is, and the new line begins after it.
            string start = EndsInLine(file, LogSubject(name)) ? "" : "\n";
            var change = new RefChange(before, after, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), why.ReplaceLineEndings(" "));
            Sys.Write(file, Encoding.UTF8.GetBytes($"{start}{change}\n")).ThrowIfFailed("write", LogSubject(name));

            // The next pull asks whether the commit came from elsewhere. The last lines of other changes before a power cut are not worth a flush in each.
            if (change.IsArrival)
            {
                Sys.Sync(file).ThrowIfFailed("fsync", LogSubject(name));
            }
        }
    }

    private static bool EndsInLine(SafeFileHandle file, string subject)
    {
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
        Span<byte> last = [(byte)'\n'];
        Sys.ReadAt(file, last, Math.Max(status.Size - 1, 0), out _).ThrowIfFailed("pread", subject);
        return last[0] == (byte)'\n';
    }

    /// <summary>The names below logs/ that stand where a log or a directory of logs may have to be made: what is neither.</summary>
    internal List<string> ForeignLogs()
    {
        // Where there is no such directory, the open one is another's (ObjectStore).
        string path = $"{storePath}/logs";
        Errno errno = Sys.Open(
            Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle room);
        if (errno == Errno.ENOENT)
        {
            return [];
        }

        errno.ThrowIfFailed("openat", path);
        using SafeFileHandle owned = room;
        var directories = new List<string>();
        var others = new List<string>();
        Walk(room, path, "", directories, others);
        return [.. directories.Where(IsLogName), .. others.Where(name => !IsLogName(name) || !IsFile(name))];

        bool IsFile(string name) => Sys.Stat(room, PathOf(name), out FileStatus status) != Errno.None || status.Type == FileType.Regular;
    }

    private static bool IsLogName(string name) => name.EndsWith(".log", StringComparison.Ordinal);

    private string LogSubject(string name) => $"{storePath}/logs/{name}.log";
}
