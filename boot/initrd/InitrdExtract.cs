using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Unpacks an initrd as the kernel does: later entries replace earlier ones, names of one file become hard links, and an entry behind a link
/// lib -> usr/lib gets into usr/lib. It works relative to directory descriptors, and no name and no link leads out of the directory.
/// </summary>
public sealed class InitrdExtract
{
    private readonly InitrdReader reader;
    private readonly ExtractPlace place;
    private readonly Dictionary<(uint Major, uint Minor, uint Inode, FileType Type), byte[]> names = [];
    private readonly Dictionary<string, (byte[] Path, CpioHeader Header)> directories = [];
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(256 * 1024);
    private (int Segment, int Archive) current;

    private InitrdExtract(InitrdReader reader, ExtractPlace place)
    {
        this.reader = reader;
        this.place = place;
    }

    /// <summary>The number of device nodes that were left out, because only root can make them.</summary>
    public int SkippedDevices { get; private set; }

    /// <summary>The number of entries.</summary>
    public int Entries { get; private set; }

    /// <summary>Unpacks all segments into a directory. The directory is made, or must be empty.</summary>
    /// <exception cref="InitrdException">Something in the initrd cannot be unpacked.</exception>
    public static InitrdExtract Run(InitrdReader reader, string directory)
    {
        using var place = ExtractPlace.Open(directory);
        var extract = new InitrdExtract(reader, place);
        while (reader.NextSegment())
        {
            while (reader.NextEntry())
            {
                extract.Take();
            }
        }

        extract.CompleteDirectories();
        return extract;
    }

    private void Take()
    {
        if (current != (reader.Segment.Number, reader.ArchiveNumber))
        {
            current = (reader.Segment.Number, reader.ArchiveNumber);
            names.Clear();
        }

        Entries++;
        byte[] path = ExtractPlace.Normalize(reader);
        if (path.Length == 0)
        {
            RequireDirectory();
            directories[ByteText.ToArgument(path)] = (path, reader.Header);
            return;
        }

        SafeFileHandle parent = place.Parent(reader, path, out byte[] name);
        RemoveOther(parent, name);
        switch (reader.Header.Type)
        {
            case FileType.Directory:
                Errno errno = Sys.MakeDirectory(parent, name, FileModes.OwnerOnly);
                place.Require(errno == Errno.EEXIST ? Errno.None : errno, "mkdirat", path);
                directories[ByteText.ToArgument(path)] = (path, reader.Header);
                break;
            case FileType.Regular:
                MakeFile(parent, name, path);
                break;
            case FileType.Symlink:
                place.Require(Sys.Symlink(reader.Target, parent, name), "symlinkat", path);
                SetMetadata(parent, name, path);
                break;
            case FileType.Fifo or FileType.Socket or FileType.CharacterDevice or FileType.BlockDevice:
                MakeNode(parent, name, path);
                break;
            default:
                throw reader.Fault($"an entry of unknown type, mode {Convert.ToString(reader.Header.Mode, 8)}");
        }
    }

    private void RequireDirectory()
    {
        if (reader.Header.Type != FileType.Directory)
        {
            throw reader.Fault("the name of the top directory stands for something else");
        }
    }

    /// <summary>Removes what stands in the way of an entry, as the kernel does: anything of another type, and any symbolic link.</summary>
    private void RemoveOther(SafeFileHandle parent, byte[] name)
    {
        if (Sys.Stat(parent, name, out FileStatus status) != Errno.None || (status.Type == reader.Header.Type && status.Type != FileType.Symlink))
        {
            return;
        }

        place.Forget();
        Errno errno = status.Type == FileType.Directory ? Sys.RemoveDirectory(parent, name) : Sys.Unlink(parent, name);
        if (errno != Errno.None)
        {
            throw reader.Fault(
                $"it stands where an earlier entry made a directory, which cannot be removed ({LinuxException.Describe(errno)})");
        }
    }

    private void MakeFile(SafeFileHandle parent, byte[] name, byte[] path)
    {
        // A later name without content must not truncate the file.
        CpioHeader header = reader.Header;
        using SafeFileHandle file = place.OpenFile(parent, name, path, isLinked: TryLink(parent, name, path));
        place.Require(Sys.IsRoot ? Sys.SetOwner(file, header.Uid, header.Gid) : Errno.None, "fchownat", path);
        long length = 0;
        while (reader.ReadContent(buffer) is var count and > 0)
        {
            place.Require(Sys.WriteAt(file, buffer.AsSpan(0, count), length), "pwrite", path);
            length += count;
        }

        place.Require(length > 0 ? Sys.Truncate(file, length) : Errno.None, "ftruncate", path);
        place.Require(Sys.SetMode(file, header.Permissions), "fchmod", path);
        place.Require(Sys.SetTime(file, header.ModifyTime), "futimens", path);
    }

    private void MakeNode(SafeFileHandle parent, byte[] name, byte[] path)
    {
        CpioHeader header = reader.Header;
        if (TryLink(parent, name, path))
        {
            return;
        }

        Errno errno = Sys.MakeNode(parent, name, header.Type, FileModes.OwnerOnly, header.DeviceMajor, header.DeviceMinor);
        if (errno == Errno.EPERM && !Sys.IsRoot)
        {
            SkippedDevices++;
            return;
        }

        place.Require(errno == Errno.EEXIST ? Errno.None : errno, "mknodat", path);
        SetMetadata(parent, name, path);
    }

    /// <summary>Makes another name of a file that the same archive already has; false for the first name.</summary>
    private bool TryLink(SafeFileHandle parent, byte[] name, byte[] path)
    {
        CpioHeader header = reader.Header;
        if (header.LinkCount < 2)
        {
            return false;
        }

        (uint, uint, uint, FileType) key = (header.Major, header.Minor, header.Inode, header.Type);
        if (!names.TryGetValue(key, out byte[]? first))
        {
            names.Add(key, path);
            return false;
        }

        if (first.AsSpan().SequenceEqual(path))
        {
            return true;
        }

        Errno errno = Sys.Unlink(parent, name);
        place.Require(errno == Errno.ENOENT ? Errno.None : errno, "unlinkat", path);
        using SafeFileHandle folder = place.OpenFolder(ExtractPlace.FolderOf(first), reader);
        place.Require(Sys.Link(folder, ExtractPlace.NameOf(first), parent, name), "linkat", path);
        return true;
    }

    /// <summary>Sets the metadata of a symbolic link or a node.</summary>
    private void SetMetadata(SafeFileHandle parent, byte[] name, byte[] path)
    {
        CpioHeader header = reader.Header;
        using SafeFileHandle made = place.OpenMade(parent, name, path, header.Type);
        place.Require(Sys.IsRoot ? Sys.SetOwner(made, header.Uid, header.Gid) : Errno.None, "fchownat", path);
        place.Require(Sys.SetTime(made, header.ModifyTime), "utimensat", path);
        place.Require(header.Type == FileType.Symlink ? Errno.None : Sys.SetMode(made, header.Permissions), "fchmodat", path);
    }

    /// <summary>
    /// Sets the directories' metadata at the end, and from the bottom up. Making an entry changes the time of its directory, and needs its
    /// permissions.
    /// </summary>
    private void CompleteDirectories()
    {
        foreach ((byte[] path, CpioHeader header) in directories.Values.OrderByDescending(made => made.Path.Length))
        {
            if (!place.TryOpenDirectory(path, out SafeFileHandle directory))
            {
                // A later entry replaced it.
                continue;
            }

            using (directory)
            {
                place.Require(Sys.IsRoot ? Sys.SetOwner(directory, header.Uid, header.Gid) : Errno.None, "fchownat", path);
                place.Require(Sys.SetMode(directory, header.Permissions), "fchmod", path);
                place.Require(Sys.SetTime(directory, header.ModifyTime), "futimens", path);
            }
        }
    }
}
