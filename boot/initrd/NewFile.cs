using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>A file that takes its place whole: written beside it, synced, renamed. Until then whatever had the name is untouched.</summary>
internal sealed class NewFile : IDisposable
{
    private readonly SafeFileHandle directory;
    private readonly byte[] name;
    private readonly byte[] temporaryName;
    private readonly string subject;
    private readonly uint permissions;
    private readonly SafeFileHandle file;
    private long length;
    private bool isPlaced;

    /// <summary>Starts one. The directory stays the caller's.</summary>
    internal NewFile(SafeFileHandle directory, byte[] name, string subject, uint permissions)
    {
        this.directory = directory;
        this.name = name;
        this.subject = subject;
        temporaryName = [.. name, .. Encoding.ASCII.GetBytes($".{Environment.ProcessId}.partial")];

        // A process of that number that was killed may have left it.
        _ = Sys.Unlink(directory, temporaryName);
        Check(Sys.Open(directory, temporaryName, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out file, permissions), "openat");
        this.permissions = permissions;
    }

    /// <summary>Writes a file at a path; a symbolic link there stays, and what it leads to is replaced.</summary>
    internal static void Write(string path, uint permissions, Action<NewFile> content)
    {
        string place = new FileInfo(path).LinkTarget == null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
        string folder = Path.GetDirectoryName(place) is { Length: > 0 } given ? given : place.StartsWith('/') ? "/" : ".";
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(folder), OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", folder);
        using (directory)
        {
            // To rename over a device would take it from everybody.
            FileStatus status = default;
            byte[] name = ByteText.FromArgument(Path.GetFileName(place));
            Errno errno = name.Length == 0 ? Errno.EISDIR : Sys.Stat(directory, name, out status);
            if (errno == Errno.EISDIR || (errno == Errno.None && status.Type != FileType.Regular))
            {
                throw new StoreException($"{path}: not a regular file; give the file to write");
            }

            using var file = new NewFile(directory, name, path, permissions);
            content(file);
            file.Place();
        }
    }

    /// <summary>Writes a file at a path, with the owner and mode of an open file.</summary>
    internal static void WriteLike(FileStream original, string originalPath, string path, Action<NewFile> content)
    {
        Sys.Stat(original.SafeFileHandle, out FileStatus status).ThrowIfFailed("statx", originalPath);
        Write(path, status.Mode, file =>
        {
            file.SetOwner(status.Uid, status.Gid);
            content(file);
        });
    }

    /// <summary>Writes a small file in a directory.</summary>
    internal static void Write(SafeFileHandle directory, byte[] name, ReadOnlySpan<byte> bytes, uint permissions, string subject)
    {
        using var file = new NewFile(directory, name, subject, permissions);
        file.Append(bytes);
        file.Place();
    }

    /// <summary>Gives it an owner, as far as the process may.</summary>
    private void SetOwner(uint uid, uint gid)
    {
        Errno errno = Sys.SetOwner(file, uid, gid);
        if (errno != Errno.EPERM)
        {
            Check(errno, "fchownat");
        }
    }

    /// <summary>Adds bytes at the end.</summary>
    internal void Append(ReadOnlySpan<byte> bytes)
    {
        Check(Sys.WriteAt(file, bytes, length), "pwrite");
        length += bytes.Length;
    }

    /// <summary>Makes it durable and gives it its name.</summary>
    internal void Place()
    {
        Check(Sys.SetMode(file, permissions), "fchmod");
        Check(Sys.Sync(file), "fsync");
        Check(Sys.Rename(directory, temporaryName, directory, name), "renameat2");
        isPlaced = true;
        Sys.Sync(directory).ThrowIfFailed("fsync", subject);
    }

    public void Dispose()
    {
        file.Dispose();
        if (!isPlaced)
        {
            _ = Sys.Unlink(directory, temporaryName);
        }
    }

    private void Check(Errno errno, string call)
    {
        if (errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            throw new StoreException($"{subject}: {LinuxException.Describe(errno)}; nothing was changed: make room, where it is /boot by removing an old kernel, and try again");
        }

        errno.ThrowIfFailed(call, subject);
    }
}
