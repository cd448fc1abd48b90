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
            if (TryParse(line, out ulong device, out ulong inode, out FileLock held) && inode == file.Inode && MayBe(device, file.Device))
            {
                locks.Add(held);
            }
        }

        return locks;
    }

    /// <summary>
    /// Reads a line such as "1: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF". False for a process that waits ("1: -> FLOCK ...") and for other kinds.
    /// </summary>
    internal static bool TryParse(string line, out ulong device, out ulong inode, out FileLock held)
    {
        (device, inode, held) = (0, 0, default);
        string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        FileLockKind? kind = fields.Length != 8 ? null : fields[1] switch
        {
            "FLOCK" => FileLockKind.Flock,
            "POSIX" => FileLockKind.Posix,
            "OFDLCK" => FileLockKind.OpenFile,
            _ => null,
        };
        string[] place = fields.Length != 8 ? [] : fields[5].Split(':');
        if (kind is null
            || place.Length != 3
            || !uint.TryParse(place[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint major)
            || !uint.TryParse(place[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint minor)
            || !int.TryParse(fields[4], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int process)
            || !ulong.TryParse(place[2], NumberStyles.None, CultureInfo.InvariantCulture, out inode)
            || !long.TryParse(fields[6], NumberStyles.None, CultureInfo.InvariantCulture, out long start))
        {
            return false;
        }

        device = ((ulong)major << 32) | minor;
        held = new FileLock(kind.Value, process, start);
        return true;
    }

    /// <summary>
    /// Whether a device in the table can be the one that statx(2) gives for the same file. They differ on btrfs, where both have the major number
    /// 0: of such filesystems any can be the one.
    /// </summary>
    private static bool MayBe(ulong listed, ulong device) => listed == device || (listed >> 32 == 0 && device >> 32 == 0);
}
