using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>What becomes of a file that has the name already.</summary>
public enum ExistingFile
{
    /// <summary>The new file takes its place in one step.</summary>
    Replaced,
    /// <summary>It stays, and the new file is refused with EEXIST.</summary>
    Kept,
}

/// <summary>
/// A file that takes its place whole. <see cref="Complete"/> makes the content durable, gives the file its name, and makes the name durable.
/// Until then whatever has the name stays as it is, and <see cref="Dispose"/> leaves nothing behind.
/// </summary>
/// <remarks>
/// A killed process leaves nothing either: the file has no name while it is written (O_TMPFILE), so the kernel removes it with the process.
/// There are three exceptions, all of them names that end in ".partial" or stand in a staging directory.
/// linkat(2) replaces nothing: a file that replaces another has a temporary name between linkat(2) and renameat2(2), when it is whole.
/// Some filesystems have no O_TMPFILE (FAT, NFS): there a file has its temporary name from the start.
/// A staged file has its temporary name from the start too: that saves a system call, and the owner of the staging directory tidies up.
/// </remarks>
public sealed class DurableFile : IDisposable
{
    private const int LongestName = 255;

    private readonly SafeFileHandle directory;
    private readonly bool ownsDirectory;
    private readonly byte[] name;
    private readonly string subject;
    private readonly SafeFileHandle staging;
    private byte[]? temporaryName;
    private long length;

    private DurableFile(
        SafeFileHandle staging, byte[]? temporaryName, SafeFileHandle file, SafeFileHandle directory, bool ownsDirectory, ReadOnlySpan<byte> name, string subject)
    {
        (this.staging, this.temporaryName) = (staging, temporaryName);
        (this.directory, this.ownsDirectory, this.subject) = (directory, ownsDirectory, subject);
        this.name = name.ToArray();
        Handle = file;
    }

    /// <summary>The open file, for reading and writing. It belongs to this object.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>A path by which another program can write the file, as long as this object lives.</summary>
    public string Path => string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{Handle.DangerousGetHandle()}");

    /// <summary>Starts a file.</summary>
    /// <param name="directory">Where it will stand; opened for reading, because fsync(2) wants that.</param>
    /// <param name="name">The name it will have there.</param>
    /// <param name="mode">Its permissions, as far as the umask allows.</param>
    /// <param name="subject">What errors call it.</param>
    /// <param name="ownsDirectory">Whether the directory is closed with this object.</param>
    public static DurableFile Create(SafeFileHandle directory, ReadOnlySpan<byte> name, uint mode, string subject, bool ownsDirectory = false)
    {
        byte[]? temporaryName = null;
        Errno errno = Sys.Open(directory, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, mode);
        if (errno is Errno.EOPNOTSUPP or Errno.EISDIR)
        {
            temporaryName = PartialName(name);
            errno = Sys.Open(directory, temporaryName, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, out file, mode);
        }

        errno.ThrowIfFailed("openat", subject);
        return new DurableFile(directory, temporaryName, file, directory, ownsDirectory, name, subject);
    }

    /// <summary>Writes a small file, in the place of what is there, with exactly that mode.</summary>
    public static void Write(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> bytes, uint mode, string subject)
    {
        using DurableFile file = Create(directory, name, mode, subject);
        file.SetMode(mode);
        file.Append(bytes);
        file.Complete();
    }

    /// <summary>Writes a small file that everybody may read, in the place of what is there.</summary>
    /// <param name="staging">A directory of the same filesystem, where files wait for their names.</param>
    /// <param name="directory">Where the file will stand.</param>
    /// <param name="name">The name it will have there.</param>
    /// <param name="bytes">All of its content.</param>
    /// <param name="subject">What errors call it.</param>
    /// <param name="isNameSynced">Whether the name is durable too in the end; else it is with the next fsync of the directory.</param>
    public static void WriteStaged(
        SafeFileHandle staging, SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> bytes, string subject, bool isNameSynced = true)
    {
        byte[] temporaryName = TemporaryName.New();
        Sys.Open(staging, temporaryName, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle handle, FileModes.PublicFile)
            .ThrowIfFailed("openat", subject);
        using var file = new DurableFile(staging, temporaryName, handle, directory, ownsDirectory: false, name, subject);
        file.Append(bytes);
        file.Place(ExistingFile.Replaced);
        if (isNameSynced)
        {
            file.SyncName();
        }
    }

    /// <summary>Adds bytes at the end of what was added so.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Sys.WriteAt(Handle, bytes, length).ThrowIfFailed("pwrite", subject);
        length += bytes.Length;
    }

    /// <summary>Sets the permissions, whatever the umask is.</summary>
    public void SetMode(uint mode) => Sys.SetMode(Handle, mode).ThrowIfFailed("fchmod", subject);

    /// <summary>Gives the file the mode of another one, and its owner as far as the process may.</summary>
    public void CopyOwnership(in FileStatus other)
    {
        Errno errno = Sys.SetOwner(Handle, other.Uid, other.Gid);
        if (errno != Errno.EPERM)
        {
            errno.ThrowIfFailed("fchownat", subject);
        }

        // After the owner: a change of owner clears bits of the mode.
        SetMode(other.Mode);
    }

    /// <summary>Makes the content durable, gives the file its name, and makes that durable too.</summary>
    /// <exception cref="LinuxException">A call failed, with EEXIST where the name is taken and <paramref name="existing"/> is kept.</exception>
    public void Complete(ExistingFile existing = ExistingFile.Replaced)
    {
        Place(existing);
        SyncName();
    }

    /// <summary>Closes the file. Without <see cref="Complete"/> nothing of it is left.</summary>
    public void Dispose()
    {
        Handle.Dispose();
        if (temporaryName is not null)
        {
            _ = Sys.Unlink(staging, temporaryName);
            temporaryName = null;
        }

        if (ownsDirectory)
        {
            directory.Dispose();
        }
    }

    private void Place(ExistingFile existing)
    {
        Sys.Sync(Handle).ThrowIfFailed("fsync", subject);
        if (temporaryName is not null || !TryLink(existing))
        {
            Rename(existing);
        }
    }

    private void SyncName() => Sys.Sync(directory).ThrowIfFailed("fsync", subject);

    /// <summary>Gives an unnamed file its name; where a file to be replaced has that, a temporary one.</summary>
    private bool TryLink(ExistingFile existing)
    {
        Errno errno = Sys.LinkOpenFile(Handle, directory, name);
        if (errno != Errno.EEXIST || existing == ExistingFile.Kept)
        {
            errno.ThrowIfFailed("linkat", subject);
            return true;
        }

        byte[] fresh = PartialName(name);
        Sys.LinkOpenFile(Handle, directory, fresh).ThrowIfFailed("linkat", subject);
        temporaryName = fresh;
        return false;
    }

    private void Rename(ExistingFile existing)
    {
        Errno errno = existing == ExistingFile.Replaced
            ? Sys.Rename(staging, temporaryName, directory, name)
            : Sys.RenameNew(staging, temporaryName, directory, name);
        if (errno == Errno.EINVAL && existing == ExistingFile.Kept)
        {
            // The filesystem has no RENAME_NOREPLACE (NFS); the temporary name goes with this object.
            Sys.Link(staging, temporaryName, directory, name).ThrowIfFailed("linkat", subject);
            return;
        }

        errno.ThrowIfFailed("renameat2", subject);
        temporaryName = null;
    }

    private static byte[] PartialName(ReadOnlySpan<byte> name)
    {
        byte[] suffix = Encoding.ASCII.GetBytes($".{TemporaryName.RandomDigits()}.partial");
        return [.. name[..Math.Min(name.Length, LongestName - suffix.Length)], .. suffix];
    }
}
