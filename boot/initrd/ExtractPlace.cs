using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The directory that an initrd is unpacked into. A path leads where it would if the directory were the root, as for the kernel: through symbolic
/// links that earlier entries made, and never out of the directory.
/// </summary>
internal sealed class ExtractPlace : IDisposable
{
    private readonly string directory;
    private readonly SafeFileHandle top;

    // An inode number may be used again by a file of somebody else, so the time of birth belongs to it.
    private readonly HashSet<(ulong Inode, FileTime? Born)> made = [];
    private byte[]? openPath;
    private SafeFileHandle? openFolder;

    private ExtractPlace(string directory, SafeFileHandle top)
    {
        this.directory = directory;
        this.top = top;
    }

    /// <summary>Makes the directory, or opens an existing empty one.</summary>
    internal static ExtractPlace Open(string directory)
    {
        Errno errno = Sys.MakeDirectory(Sys.WorkingDirectory, ByteText.FromArgument(directory), FileModes.PublicDirectory);
        (errno == Errno.EEXIST ? Errno.None : errno).ThrowIfFailed("mkdirat", directory);
        var place = new ExtractPlace(directory, OpenPath.Directory(directory));
        var reader = new DirectoryReader();
        reader.Start(place.top, directory);
        if (reader.Next())
        {
            place.Dispose();
            throw new StoreException($"{directory}: the directory is not empty; give a new one");
        }

        return place;
    }

    /// <summary>An entry's path without needless slashes and dots; empty for the top.</summary>
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

    /// <summary>
    /// The directory that a path is in, and the path's last name. Directories that have no entry are made. The result stays open until the next
    /// call.
    /// </summary>
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

    /// <summary>Forgets the directory that was kept open, because what is being removed may be in its path.</summary>
    internal void Forget() => openPath = null;

    /// <summary>Opens a directory below the top. Makes it, and the directories above it, if they are missing.</summary>
    internal SafeFileHandle OpenFolder(byte[] path, InitrdReader reader)
    {
        ReadOnlySpan<byte> place = path.Length == 0 ? "."u8 : path;
        Errno errno = Sys.OpenInRoot(top, place, OpenFlags.Directory, out SafeFileHandle folder);
        if (errno == Errno.ENOENT)
        {
            using (SafeFileHandle above = OpenFolder(FolderOf(path), reader))
            {
                // A name that exists is a symbolic link to nothing.
                Errno made = Sys.MakeDirectory(above, NameOf(path), FileModes.PublicDirectory);
                Require(made == Errno.EEXIST ? Errno.None : made, "mkdirat", path);
            }

            errno = Sys.OpenInRoot(top, place, OpenFlags.Directory, out folder);
        }

        if (errno is Errno.ENOENT or Errno.ELOOP or Errno.ENOTDIR)
        {
            throw reader.Fault("a symbolic link that leads to no directory, or something else that is no directory, stands in its path");
        }

        Require(errno, "openat2", path);
        return folder;
    }

    /// <summary>Opens a directory that an entry made; false if a later entry replaced it.</summary>
    internal bool TryOpenDirectory(byte[] path, out SafeFileHandle opened) =>
        Sys.OpenInRoot(top, path.Length == 0 ? "."u8 : path, OpenFlags.Directory, out opened) == Errno.None;

    /// <summary>
    /// Opens the entry's regular file for writing. A file that an earlier entry made is written in place, as by the kernel: all its names get the
    /// content. Another file of that name may be a hard link to somebody's file. It loses the name and keeps its content. A name that was just linked to
    /// the file of an earlier entry (<paramref name="isLinked"/>) keeps that file's content too.
    /// </summary>
    internal SafeFileHandle OpenFile(SafeFileHandle parent, byte[] name, byte[] path, bool isLinked)
    {
        const OpenFlags Flags = OpenFlags.WriteOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        Errno errno = Sys.Open(parent, name, Flags, out SafeFileHandle file);
        if (errno == Errno.None && made.Contains(IdentityOf(file, path).Identity))
        {
            Require(isLinked ? Errno.None : Sys.Truncate(file, 0), "ftruncate", path);
            return file;
        }

        file.Dispose();
        if (errno != Errno.ENOENT)
        {
            Require(isLinked ? errno : Sys.Unlink(parent, name), isLinked ? "openat" : "unlinkat", path);
        }

        Require(Sys.Open(parent, name, Flags | OpenFlags.Create | OpenFlags.Exclusive, out file, FileModes.OwnerOnly), "openat", path);
        made.Add(IdentityOf(file, path).Identity);
        return file;
    }

    /// <summary>
    /// Opens the symbolic link or the node that was just made, so that its metadata cannot be set on what somebody puts in its place. A hard link to
    /// somebody's file has at least two names.
    /// </summary>
    internal SafeFileHandle OpenMade(SafeFileHandle parent, byte[] name, byte[] path, FileType type)
    {
        Require(Sys.Open(parent, name, OpenFlags.Path | OpenFlags.NoFollow, out SafeFileHandle file), "openat", path);
        (FileStatus status, (ulong, FileTime?) identity) = IdentityOf(file, path);
        if (status.Type == type && (status.LinkCount == 1 || made.Contains(identity)))
        {
            made.Add(identity);
            return file;
        }

        file.Dispose();
        throw new StoreException($"{directory}/{InitrdReader.Show(path)}: another process has put something else in its place; stop that one and try again");
    }

    private (FileStatus Status, (ulong Inode, FileTime? Born) Identity) IdentityOf(SafeFileHandle file, byte[] path)
    {
        Require(Sys.Stat(file, out FileStatus status), "statx", path);
        return (status, (status.Inode, status.BirthTime));
    }

    /// <summary>Throws if the call failed.</summary>
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
