using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Writes the names of a new root's /etc. Each is made whole in a directory of its own, <see cref="StageName"/>, and takes its place by one rename. No
/// file is written in place. A killed merge leaves the directory; the next one removes it.
/// </summary>
internal sealed class EtcPlace : IDisposable
{
    private const OpenFlags CreateNew = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
    private const int CopySize = 64 * 1024;

    private readonly ObjectStore store;
    private readonly SafeFileHandle top;
    private readonly SafeFileHandle stage;
    private readonly string path;
    private readonly Xattrs xattrs;

    internal EtcPlace(ObjectStore store, SafeFileHandle top, string path)
    {
        this.store = store;
        this.top = top;
        this.path = path;
        xattrs = new Xattrs(store.Format);
        RemoveStage();
        Sys.MakeDirectory(top, StageName, FileModes.OwnerOnly).ThrowIfFailed("mkdirat", path);
        stage = OpenDirectory(top, StageName, path);
    }

    /// <summary>The name that the merge keeps for itself in /etc.</summary>
    internal static ReadOnlySpan<byte> StageName => ".hacktree-merge"u8;

    private static ReadOnlySpan<byte> Staged => "new"u8;

    internal static SafeFileHandle OpenDirectory(SafeFileHandle above, ReadOnlySpan<byte> name, string subject)
    {
        Errno errno = Sys.Open(above, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle directory);
        return errno is Errno.ENOTDIR or Errno.ELOOP or Errno.ENOENT ? throw Changed(subject) : Opened(errno, directory, subject);
    }

    internal static StoreException Changed(string subject) => new($"{subject}: it changed while /etc was merged; try again");

    public void Dispose() => stage.Dispose();

    internal void RemoveStage()
    {
        if (Sys.Stat(top, StageName, out _) != Errno.ENOENT)
        {
            TreeRemoval.Remove(top, StageName, path);
        }
    }

    internal void Remove(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject)
    {
        Errno errno = Sys.Rename(directory, name, stage, Staged);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("renameat2", subject);
            TreeRemoval.Remove(stage, Staged, subject);
        }
    }

    /// <summary>Sees to it that a name is a directory. A new one gets its metadata later; until then only its owner may enter it.</summary>
    internal void MakeDirectory(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject)
    {
        if (Sys.Stat(directory, name, out FileStatus status) != Errno.None || status.Type != FileType.Directory)
        {
            Sys.MakeDirectory(stage, Staged, FileModes.OwnerOnly).ThrowIfFailed("mkdirat", subject);
            Install(directory, name, subject);
        }
    }

    /// <summary>Makes a name other than a directory. A file's content comes from the old root's directory, or from the store if that is null.</summary>
    internal void Make(SafeFileHandle directory, ReadOnlySpan<byte> name, in TreeEntry entry, SafeFileHandle? from, string subject)
    {
        if (entry.Kind == EntryKind.Regular)
        {
            using SafeFileHandle file = Create(subject);
            FileMetadata metadata = entry.Metadata;
            if (from is null)
            {
                store.Blobs.Copy(entry, file, subject);
            }
            else
            {
                metadata = metadata with { ModifyTime = Copy(from, entry, file, subject) };
            }

            SetMetadata(file, metadata, entry.Xattrs, subject);
        }
        else
        {
            MakeSpecial(entry, subject);
        }

        Install(directory, name, subject);
    }

    internal void Write(SafeFileHandle directory, ReadOnlySpan<byte> name, byte[] content, FileMetadata metadata, ReadOnlySpan<byte> attributes, string subject)
    {
        using SafeFileHandle file = Create(subject);
        Sys.WriteAt(file, content, 0).ThrowIfFailed("pwrite", subject);
        SetMetadata(file, metadata, attributes, subject);
        Install(directory, name, subject);
    }

    internal void SetMetadata(SafeFileHandle file, FileMetadata metadata, ReadOnlySpan<byte> attributes, string subject)
    {
        ReadOnlySpan<byte> settable = store.Format.ObjectXattrs(attributes);
        xattrs.RemoveOthers(file, settable, subject);
        ObjectInode.SetMetadata(store.Format, file, store.Format.ObjectMetadata(metadata), settable, subject);
    }

    /// <summary>The content of a file in the old root; null if the name is no longer a file, or the file is longer than the limit.</summary>
    internal static byte[]? ReadFile(SafeFileHandle directory, ReadOnlySpan<byte> name, int limit, string subject)
    {
        using SafeFileHandle file = OpenFile(directory, name, subject, out FileStatus status);
        if (status.Size > limit)
        {
            return null;
        }

        byte[] bytes = new byte[status.Size];
        Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", subject);
        return count == bytes.Length ? bytes : throw Changed(subject);
    }

    /// <summary>The content of the file at a path, like <see cref="ReadFile"/>.</summary>
    internal static byte[]? ReadBelow(SafeFileHandle top, ReadOnlySpan<byte> path, int limit, string subject)
    {
        int slash = path.IndexOf((byte)'/');
        if (slash < 0)
        {
            return ReadFile(top, path, limit, subject);
        }

        using SafeFileHandle below = OpenDirectory(top, path[..slash], subject);
        return ReadBelow(below, path[(slash + 1)..], limit, subject);
    }

    private static SafeFileHandle OpenFile(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject, out FileStatus status)
    {
        const OpenFlags Flags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        Errno errno = Sys.Open(directory, name, Flags, out SafeFileHandle file);
        Opened(errno is Errno.ELOOP or Errno.ENOENT ? throw Changed(subject) : errno, file, subject);
        Sys.Stat(file, out status).ThrowIfFailed("statx", subject);
        return status.Type == FileType.Regular ? file : throw Changed(subject);
    }

    private static SafeFileHandle Opened(Errno errno, SafeFileHandle file, string subject)
    {
        errno.ThrowIfFailed("openat", subject);
        return file;
    }

    /// <summary>Copies a file of the old root and returns its time, which the trees of a store may not keep.</summary>
    private long Copy(SafeFileHandle directory, in TreeEntry entry, SafeFileHandle target, string subject)
    {
        using SafeFileHandle file = OpenFile(directory, entry.Name, subject, out FileStatus status);
        byte[] buffer = new byte[CopySize];
        long offset = 0;
        for (int count; ; offset += count)
        {
            store.Stop.ThrowIfCancellationRequested();
            Sys.ReadAt(file, buffer, offset, out count).ThrowIfFailed("pread", subject);
            if (count == 0)
            {
                break;
            }

            Sys.WriteAt(target, buffer.AsSpan(0, count), offset).ThrowIfFailed("pwrite", subject);
        }

        Sys.Stat(target, out FileStatus copied).ThrowIfFailed("statx", subject);
        bool isSame = copied.Size == entry.Size && Blobs.HashFile(target, copied, subject, store.Stop) == entry.Digest;
        return isSame ? status.ModifyTime.Seconds : throw Changed(subject);
    }

    private SafeFileHandle Create(string subject)
    {
        Errno errno = Sys.Open(stage, Staged, CreateNew, out SafeFileHandle file, FileModes.PrivateFile);
        return Opened(errno, file, subject);
    }

    private void MakeSpecial(in TreeEntry entry, string subject)
    {
        FileMetadata metadata = entry.Metadata;
        if (entry.Kind == EntryKind.Symlink)
        {
            Sys.Symlink(entry.Target, stage, Staged).ThrowIfFailed("symlinkat", subject);
        }
        else
        {
            Errno errno = Sys.MakeNode(stage, Staged, ObjectInode.TypeOf(entry.Kind), FileModes.PrivateFile, entry.DeviceMajor, entry.DeviceMinor);
            errno.ThrowIfFailed("mknodat", subject);
        }

        if (!store.Format.UserMode)
        {
            Sys.SetOwner(stage, Staged, metadata.Uid, metadata.Gid).ThrowIfFailed("fchownat", subject);
        }

        Xattrs.Set(stage, Staged, store.Format.ObjectXattrs(entry.Xattrs), subject);
        if (entry.Kind != EntryKind.Symlink)
        {
            Sys.SetMode(stage, Staged, metadata.Mode).ThrowIfFailed("fchmodat", subject);
        }

        Sys.SetTime(stage, Staged, metadata.ModifyTime).ThrowIfFailed("utimensat", subject);
    }

    /// <summary>Gives what was staged its name. A directory can be replaced only by an exchange, which leaves it in the stage.</summary>
    private void Install(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject)
    {
        Sys.Stat(stage, Staged, out FileStatus made).ThrowIfFailed("statx", subject);
        bool isThere = Sys.Stat(directory, name, out FileStatus present) == Errno.None;
        if (isThere && (made.Type == FileType.Directory || present.Type == FileType.Directory))
        {
            Sys.Exchange(stage, Staged, directory, name).ThrowIfFailed("renameat2", subject);
            TreeRemoval.Remove(stage, Staged, subject);
        }
        else
        {
            Sys.Rename(stage, Staged, directory, name).ThrowIfFailed("renameat2", subject);
        }
    }
}
