using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Looks whether processes use a directory, in the links of /proc/PID. Processes end meanwhile, and those of other users tell nothing: what cannot be
/// read is passed over. A process costs some ten calls and one for each open file.
/// </summary>
/// <param name="status">The directory's status.</param>
/// <param name="withFiles">Whether open and mapped files count.</param>
internal sealed class ProcessLook(FileStatus status, bool withFiles)
{
    private static readonly byte[] Deleted = " (deleted)"u8.ToArray();

    private readonly DirectoryReader reader = new();
    private readonly byte[] target = new byte[4096];
    private byte[] maps = new byte[1 << 16];
    private byte[][] names = [];

    /// <summary>What a process has of the directory; null if it has nothing of it.</summary>
    /// <param name="process">The process's number.</param>
    /// <param name="places">The directory's names in the process's mount namespace.</param>
    internal DirectoryUser? At(int process, List<string> places)
    {
        names = [.. places.Select(ByteText.FromArgument)];
        byte[] folder = ByteText.FromArgument($"/proc/{process}");
        if (Sys.Open(Sys.WorkingDirectory, folder, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle place) != Errno.None)
        {
            place.Dispose();
            return null;
        }

        using (place)
        {
            return Find(place) is var (tie, path) ? new DirectoryUser.Process(new LockHolder(process, Flock.ProgramOf(process)), tie, path) : null;
        }
    }

    private (ProcessTie Tie, string Path)? Find(SafeFileHandle place) =>
        FindLink(place, "root"u8) is { } root ? (ProcessTie.Root, root)
        : IsRoot(place) ? (ProcessTie.Root, "/")
        : FindLink(place, "cwd"u8) is { } directory ? (ProcessTie.WorkingDirectory, directory)
        : FindLink(place, "exe"u8) is { } program ? (ProcessTie.Program, program)
        : withFiles && names.Length > 0 ? FindOpen(place) ?? FindMapped(place)
        : null;

    /// <summary>Whether the directory is the process's root, though mounts do not tell so: in a chroot that is no mount point.</summary>
    private bool IsRoot(SafeFileHandle place) =>
        Sys.Stat(place, "root/."u8, out FileStatus found) == Errno.None && found.Device == status.Device && found.Inode == status.Inode;

    private string? FindLink(SafeFileHandle place, ReadOnlySpan<byte> name) =>
        Sys.ReadLink(place, name, target, out int length) == Errno.None && IsInside(target.AsSpan(0, length))
            ? ByteText.ToArgument(target.AsSpan(0, length))
            : null;

    private bool IsInside(ReadOnlySpan<byte> path)
    {
        foreach (byte[] name in names)
        {
            if (path.StartsWith(name) && (path.Length == name.Length || path[name.Length] == '/') && !path.EndsWith(Deleted))
            {
                return true;
            }
        }

        return false;
    }

    private (ProcessTie Tie, string Path)? FindOpen(SafeFileHandle place)
    {
        if (Sys.Open(place, "fd"u8, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle files) != Errno.None)
        {
            files.Dispose();
            return null;
        }

        using (files)
        {
            try
            {
                for (reader.Start(files, "fd"); reader.Next();)
                {
                    if (FindLink(files, reader.Name) is { } path)
                    {
                        return (ProcessTie.OpenFile, path);
                    }
                }
            }
            catch (LinuxException)
            {
                // The process has ended.
            }
        }

        return null;
    }

    /// <summary>Looks for the names at the ends of the lines of /proc/PID/maps. Of a path there, only a line end is escaped.</summary>
    private (ProcessTie Tie, string Path)? FindMapped(SafeFileHandle place)
    {
        ReadOnlySpan<byte> all = ReadMaps(place);
        foreach (byte[] name in names)
        {
            ReadOnlySpan<byte> rest = all;
            for (int start; (start = rest.IndexOf(name)) >= 0; rest = rest[(start + name.Length)..])
            {
                int end = rest[start..].IndexOf((byte)'\n');
                ReadOnlySpan<byte> path = end < 0 ? rest[start..] : rest[start..(start + end)];
                if (start > 0 && rest[start - 1] == ' ' && IsInside(path))
                {
                    return (ProcessTie.MappedFile, ByteText.ToArgument(path));
                }
            }
        }

        return null;
    }

    private ReadOnlySpan<byte> ReadMaps(SafeFileHandle place)
    {
        Errno errno = Sys.Open(place, "maps"u8, OpenFlags.ReadOnly, out SafeFileHandle file);
        using (file)
        {
            int length = 0;
            while (errno == Errno.None && (errno = Sys.Read(file, maps.AsSpan(length), out int count)) == Errno.None && count > 0)
            {
                length += count;
                if (length == maps.Length)
                {
                    Array.Resize(ref maps, maps.Length * 2);
                }
            }

            return maps.AsSpan(0, length);
        }
    }
}
