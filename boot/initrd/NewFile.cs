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
        Check(Sys.Open(directory, temporaryName, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out file, permissions), "openat");
        Check(Sys.SetMode(file, permissions), "fchmod");
    }

    /// <summary>Writes a file at a path; a symbolic link there stays, and what it leads to is replaced.</summary>
    internal static void Write(string path, uint permissions, Action<NewFile> content)
    {
        string place = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        if (Path.Exists(place) && (File.GetAttributes(place) & (FileAttributes.Directory | FileAttributes.Device)) != 0)
        {
            throw new StoreException($"{path}: not a regular file; give the file to write");
        }

        string folder = Path.GetDirectoryName(place) is { Length: > 0 } given ? given : place.StartsWith('/') ? "/" : ".";
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(folder), OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", folder);
        using (directory)
        using (var file = new NewFile(directory, ByteText.FromArgument(Path.GetFileName(place)), path, permissions))
        {
            content(file);
            file.Place();
        }
    }

    /// <summary>Gives it an owner, as far as the process may.</summary>
    internal void SetOwner(uint uid, uint gid)
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
        Check(Sys.Sync(file), "fsync");
        Check(Sys.Rename(directory, temporaryName, directory, name), "renameat2");
        isPlaced = true;
        Check(Sys.Sync(directory), "fsync");
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
