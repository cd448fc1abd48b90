using System.Globalization;

namespace HackTree.Linux;

/// <summary>Which of the kernel's kinds of file locks a lock is.</summary>
public enum FileLockKind
{
    /// <summary>Taken by flock(2), for the whole file.</summary>
    Flock,

    /// <summary>Taken by fcntl(2) F_SETLK, for a range of bytes.</summary>
    Posix,

    /// <summary>Taken by fcntl(2) F_OFD_SETLK, for a range of bytes.</summary>
    OpenFile,
}

/// <summary>One lock that is held on a file, as /proc/locks tells it (proc_locks(5)).</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Process">The process that took it; not positive where the kernel names none: for open files, and for other pid namespaces.</param>
/// <param name="Start">The first byte it covers.</param>
public readonly record struct FileLock(FileLockKind Kind, int Process, long Start)
{
    private const string Table = "/proc/locks";

    /// <summary>The locks that are held on a file. None where /proc is not mounted.</summary>
    public static List<FileLock> On(in FileStatus file)
    {
        var locks = new List<FileLock>();
        if (!File.Exists(Table))
        {
            return locks;
        }

        foreach (string line in File.ReadLines(Table))
        {
            if (TryParse(line, out ulong inode, out FileLock held) && inode == file.Inode)
            {
                locks.Add(held);
            }
        }

        return locks;
    }

    /// <summary>
    /// Reads a line such as "1: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF". False for a process that waits ("1: -> FLOCK ...") and for other kinds.
    /// The device is passed over: btrfs has another one there than in statx(2).
    /// </summary>
    internal static bool TryParse(string line, out ulong inode, out FileLock held)
    {
        (inode, held) = (0, default);
        string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        FileLockKind? kind = fields.Length != 8 ? null : fields[1] switch
        {
            "FLOCK" => FileLockKind.Flock,
            "POSIX" => FileLockKind.Posix,
            "OFDLCK" => FileLockKind.OpenFile,
            _ => null,
        };
        if (kind is null
            || !int.TryParse(fields[4], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int process)
            || !ulong.TryParse(fields[5][(fields[5].LastIndexOf(':') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out inode)
            || !long.TryParse(fields[6], NumberStyles.None, CultureInfo.InvariantCulture, out long start))
        {
            return false;
        }

        held = new FileLock(kind.Value, process, start);
        return true;
    }
}
