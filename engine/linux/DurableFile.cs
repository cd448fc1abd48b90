using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>What happens to an existing file of the same name.</summary>
public enum ExistingFile
{
    /// <summary>The new file replaces it in one step.</summary>
    Replaced,
    /// <summary>It stays, and the new file is refused with EEXIST.</summary>
    Kept,
}

/// <summary>
/// Writes a file that appears only when it is whole. <see cref="Complete"/> makes the content durable, gives the file its name, and makes
/// the name durable. Until then an existing file of that name is unchanged, and <see cref="Dispose"/> leaves nothing behind.
/// </summary>
/// <remarks>
/// A killed process leaves nothing either: the file has no name while it is written (O_TMPFILE), so the kernel removes it with the process.
/// There are three exceptions. All of them have names that end in ".partial", or are in a staging directory. First, linkat(2) replaces
/// nothing: a file that replaces another has a temporary name between linkat(2) and renameat2(2), when it is whole. Second, some
/// filesystems have no O_TMPFILE (FAT, NFS): there a file has its temporary name from the start. Third, a staged file has its temporary
/// name from the start: that saves a system call, and the owner of the staging directory tidies up.
/// </remarks>
public sealed class DurableFile : IDisposable
{
    private const int LongestName = 255;

    // A dot, 32 random digits, and the end.
    private const int PartialSuffixLength = 1 + 32 + 8;

    private static ReadOnlySpan<byte> PartialEnd => ".partial"u8;

    private readonly SafeFileHandle directory;
    private readonly bool ownsDirectory;
    private byte[] name;
    private readonly string subject;
    private readonly SafeFileHandle staging;
    private byte[]? temporaryName;
    private long length;

    private DurableFile(
        SafeFileHandle staging,
        byte[]? temporaryName,
        SafeFileHandle file,
        SafeFileHandle directory,
        bool ownsDirectory,
        ReadOnlySpan<byte> name,
        string subject)
    {
        (this.staging, this.temporaryName) = (staging, temporaryName);
        (this.directory, this.ownsDirectory, this.subject) = (directory, ownsDirectory, subject);
        this.name = name.ToArray();
        Handle = file;
    }

    /// <summary>The open file, for reading and writing. It belongs to this object.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>A path at which another program can write the file while this object exists.</summary>
    public string Path => string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{Handle.DangerousGetHandle()}");

    /// <summary>Starts a file.</summary>
    /// <param name="directory">The directory of the file, opened for reading, because fsync(2) needs that.</param>
    /// <param name="name">The file's name in the directory.</param>
    /// <param name="mode">The file's permissions, which the umask reduces.</param>
    /// <param name="subject">The file's name in errors.</param>
    /// <param name="ownsDirectory">Whether the directory is closed with this object.</param>
    public static DurableFile Create(SafeFileHandle directory, ReadOnlySpan<byte> name, uint mode, string subject, bool ownsDirectory = false)
    {
        byte[]? temporaryName = null;
        Errno errno = Sys.Open(directory, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, mode);
        if (errno is Errno.EOPNOTSUPP or Errno.EISDIR)
        {
            temporaryName = PartialName(name);
            RemoveAbandoned(directory, name);
            errno = Sys.Open(directory, temporaryName, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, out file, mode);
            MarkAsInUse(file);
        }

        errno.ThrowIfFailed("openat", subject);
        return new DurableFile(directory, temporaryName, file, directory, ownsDirectory, name, subject);
    }

    /// <summary>Writes a small file with exactly that mode. Replaces an existing file.</summary>
    public static void Write(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> bytes, uint mode, string subject)
    {
        using DurableFile file = Create(directory, name, mode, subject);
        file.SetMode(mode);
        file.Append(bytes);
        file.Complete();
    }

    /// <summary>Writes a small file that everybody may read. Replaces an existing file.</summary>
    /// <param name="staging">A directory on the same filesystem, for files that do not have their names yet.</param>
    /// <param name="directory">The directory of the file.</param>
    /// <param name="name">The file's name in the directory.</param>
    /// <param name="bytes">The file's whole content.</param>
    /// <param name="subject">The file's name in errors.</param>
    /// <param name="isNameSynced">Whether to make the name durable too. Otherwise the next fsync of the directory does so.</param>
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

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Sys.WriteAt(Handle, bytes, length).ThrowIfFailed("pwrite", subject);
        length += bytes.Length;
    }

    /// <summary>Sets the permissions, whatever the umask is.</summary>
    public void SetMode(uint mode) => Sys.SetMode(Handle, mode).ThrowIfFailed("fchmod", subject);

    /// <summary>Gives the file the mode of another file, and its owner if the process may.</summary>
    public void CopyOwnership(in FileStatus other)
    {
        Errno errno = Sys.SetOwner(Handle, other.Uid, other.Gid);
        if (errno != Errno.EPERM)
        {
            errno.ThrowIfFailed("fchownat", subject);
        }

        // The mode comes after the owner, because a change of owner clears bits of the mode.
        SetMode(other.Mode);
    }

    /// <summary>Makes the content durable, gives the file its name, and makes that durable too.</summary>
    /// <exception cref="LinuxException">A call failed. EEXIST if the name exists and <paramref name="existing"/> says to keep it.</exception>
    public void Complete(ExistingFile existing = ExistingFile.Replaced)
    {
        Place(existing);
        SyncName();
    }

    /// <summary>Does what <see cref="Complete"/> does, under another name: one that depends on the content.</summary>
    public void CompleteAs(ReadOnlySpan<byte> finalName)
    {
        name = finalName.ToArray();
        Complete();
    }

    /// <summary>Closes the file. Without <see cref="Complete"/> nothing is left of it.</summary>
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

            // The file has its own name now, and others may want to lock it. A child process may have the descriptor for a moment longer.
            _ = Sys.Unlock(Handle);
        }
    }

    private void SyncName() => Sys.Sync(directory).ThrowIfFailed("fsync", subject);

    /// <summary>Gives an unnamed file its name, or a temporary one if it will replace a file.</summary>
    private bool TryLink(ExistingFile existing)
    {
        Errno errno = Sys.LinkOpenFile(Handle, directory, name);
        if (errno != Errno.EEXIST || existing == ExistingFile.Kept)
        {
            errno.ThrowIfFailed("linkat", subject);
            return true;
        }

        RemoveAbandoned(directory, name);
        MarkAsInUse(Handle);
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
            // The filesystem has no RENAME_NOREPLACE (NFS). The temporary name goes with this object.
            Sys.Link(staging, temporaryName, directory, name).ThrowIfFailed("linkat", subject);
            return;
        }

        errno.ThrowIfFailed("renameat2", subject);
        temporaryName = null;
    }

    /// <summary>A killed process holds no lock, so the lock tells the next writer of the same name that this process lives.</summary>
    private static void MarkAsInUse(SafeFileHandle file)
    {
        if (!file.IsInvalid)
        {
            // Without a lock (on some file servers) nobody else can lock the file either, so nobody removes it.
            _ = Sys.Lock(file, LockKind.Exclusive, wait: false);
        }
    }

    /// <summary>
    /// Removes what killed processes left of the same file. A file that is still empty may belong to a process that has not locked it yet. What
    /// cannot be looked at or removed stays.
    /// </summary>
    private static void RemoveAbandoned(SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        if (Sys.Open(directory, "."u8, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle listing) != Errno.None)
        {
            return;
        }

        using (listing)
        {
            try
            {
                var reader = new DirectoryReader();
                reader.Start(listing, "a directory");
                while (reader.Next())
                {
                    if (IsPartialName(reader.Name, name) && IsAbandoned(directory, reader.Name))
                    {
                        _ = Sys.Unlink(directory, reader.Name);
                    }
                }
            }
            catch (LinuxException)
            {
                // Litter is no reason to fail.
            }
        }
    }

    private static bool IsAbandoned(SafeFileHandle directory, ReadOnlySpan<byte> partial)
    {
        Errno errno = Sys.Open(directory, partial, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file);
        using (file)
        {
            return errno == Errno.None
                && Sys.Stat(file, out FileStatus status) == Errno.None
                && status is { Type: FileType.Regular, Size: > 0 }
                && Sys.Lock(file, LockKind.Exclusive, wait: false) == Errno.None;
        }
    }

    private static bool IsPartialName(ReadOnlySpan<byte> partial, ReadOnlySpan<byte> name)
    {
        int kept = Math.Min(name.Length, LongestName - PartialSuffixLength);
        return partial.Length == kept + PartialSuffixLength
            && partial[..kept].SequenceEqual(name[..kept])
            && partial[kept] == (byte)'.'
            && TemporaryName.IsRandom(partial[(kept + 1)..^PartialEnd.Length])
            && partial.EndsWith(PartialEnd);
    }

    private static byte[] PartialName(ReadOnlySpan<byte> name)
    {
        byte[] suffix = [(byte)'.', .. Encoding.ASCII.GetBytes(TemporaryName.RandomDigits()), .. PartialEnd];
        return [.. name[..Math.Min(name.Length, LongestName - suffix.Length)], .. suffix];
    }
}
