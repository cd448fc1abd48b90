using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>The directory that an initrd is unpacked into, and the way to names in it: below it only, and across no symbolic link.</summary>
internal sealed class ExtractPlace : IDisposable
{

    private readonly string directory;
    private readonly SafeFileHandle top;
    private byte[]? openPath;
    private SafeFileHandle? openFolder;

    private ExtractPlace(string directory, SafeFileHandle top)
    {
        this.directory = directory;
        this.top = top;
    }

    /// <summary>Makes the directory, or takes an empty one.</summary>
    internal static ExtractPlace Open(string directory)
    {
        byte[] name = ByteText.FromArgument(directory);
        Errno errno = Sys.MakeDirectory(Sys.WorkingDirectory, name, FileModes.PublicDirectory);
        (errno == Errno.EEXIST ? Errno.None : errno).ThrowIfFailed("mkdirat", directory);
        Sys.Open(Sys.WorkingDirectory, name, OpenFlags.Directory, out SafeFileHandle top).ThrowIfFailed("openat", directory);
        var place = new ExtractPlace(directory, top);
        if (Directory.EnumerateFileSystemEntries(directory).Any())
        {
            place.Dispose();
            throw new StoreException($"{directory}: the directory is not empty; give a new one");
        }

        return place;
    }

    /// <summary>An entry's path without slashes and dots that mean nothing; empty for the top.</summary>
    internal static byte[] Normalize(InitrdReader reader)
    {
        var path = new PathBuffer();
        ReadOnlySpan<byte> rest = reader.Name;
        while (!rest.IsEmpty)
        {
            int slash = rest.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = slash < 0 ? rest : rest[..slash];
            rest = slash < 0 ? default : rest[(slash + 1)..];
            if (name.IsEmpty || name.SequenceEqual("."u8))
            {
                continue;
            }

            if (!EntryName.IsValid(name))
            {
                throw reader.Fault("no file can have this name, or it leads out of the directory");
            }

            path.Push(name);
        }

        return path.Bytes.ToArray();
    }

    internal static byte[] FolderOf(byte[] path) => path[..Math.Max(0, path.AsSpan().LastIndexOf((byte)'/'))];

    internal static byte[] NameOf(byte[] path) => path[(path.AsSpan().LastIndexOf((byte)'/') + 1)..];

    /// <summary>The directory that a path is in, and its last name. Directories that no entry made are made. It stays open until the next one.</summary>
    internal SafeFileHandle Parent(InitrdReader reader, byte[] path, out byte[] name)
    {
        name = NameOf(path);
        byte[] folder = FolderOf(path);
        if (openFolder == null || openPath == null || !folder.AsSpan().SequenceEqual(openPath))
        {
            openFolder?.Dispose();
            openFolder = null;
            openFolder = OpenFolder(folder, reader);
            openPath = folder;
        }

        return openFolder;
    }

    /// <summary>A directory goes: the one that was kept open may be below it.</summary>
    internal void Forget() => openPath = null;

    /// <summary>Opens a directory below the top, and makes what is missing of it.</summary>
    internal SafeFileHandle OpenFolder(byte[] path, InitrdReader reader)
    {
        ReadOnlySpan<byte> place = path.Length == 0 ? "."u8 : path;
        Errno errno = Sys.OpenBeneath(top, place, OpenFlags.Directory, out SafeFileHandle folder);
        if (errno == Errno.ENOENT)
        {
            using (SafeFileHandle above = OpenFolder(FolderOf(path), reader))
            {
                Require(Sys.MakeDirectory(above, NameOf(path), FileModes.PublicDirectory), "mkdirat", path);
            }

            errno = Sys.OpenBeneath(top, place, OpenFlags.Directory, out folder);
        }

        if (errno is Errno.ELOOP or Errno.ENOTDIR)
        {
            throw reader.Fault("a symbolic link, or something else that is no directory, stands in its path");
        }

        Require(errno, "openat2", path);
        return folder;
    }

    /// <summary>Opens a directory that an entry made; false where a later one took its place.</summary>
    internal bool TryOpenDirectory(byte[] path, out SafeFileHandle opened) =>
        Sys.OpenBeneath(top, path.Length == 0 ? "."u8 : path, OpenFlags.Directory, out opened) == Errno.None;

    /// <summary>Throws for a call that failed.</summary>
    internal void Require(Errno errno, string call, ReadOnlySpan<byte> path)
    {
        if (errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            throw new StoreException($"{directory}: {LinuxException.Describe(errno)}; make room, remove the directory and try again");
        }

        if (errno != Errno.None)
        {
            throw new LinuxException(errno, call, $"{directory}/{InitrdReader.Show(path)}");
        }
    }

    public void Dispose()
    {
        openFolder?.Dispose();
        top.Dispose();
    }
}
