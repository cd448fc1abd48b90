using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Makes a store: the rooms, the lock's file, then the format file, with which the store is whole. What a killed process left of one is finished
/// by the next that makes a store there. A process that fails leaves nothing.
/// </summary>
internal static class StoreCreation
{
    private const string LockName = "lock";
    private const string FormatName = "format";

    /// <summary><see cref="ObjectStore.Create"/>.</summary>
    internal static void Run(string path, StoreFormat format)
    {
        CurrentDirectory.RequireFor(path);
        path = Path.GetFullPath(path);
        RequireNone(path);
        if (!format.UserMode && !Sys.IsRoot)
        {
            throw new StoreException($"{path}: only root can keep a store with owners and devices", new Remedy.MakeUserStore());
        }

        byte[] bytes = ByteText.FromArgument(path);
        Errno made = Sys.MakeDirectory(Sys.WorkingDirectory, bytes, FileModes.OwnerOnly);
        if (made != Errno.EEXIST)
        {
            made.ThrowIfFailed("mkdirat", path);
        }

        Sys.Open(Sys.WorkingDirectory, bytes, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", path);
        using (directory)
        {
            RequireOwn(directory, path, format);
            TakeTurn(directory, path);
            RequireNone(path);
            RequireUnused(directory, path);
            try
            {
                Fill(directory, path, format);
            }
            catch (Exception e) when (e is LinuxException or StoreException)
            {
                TakeBack(directory, path);
                _ = made == Errno.None ? Sys.RemoveDirectory(Sys.WorkingDirectory, bytes) : Errno.None;
                throw e is LinuxException { Errno: Errno.ENOSPC or Errno.EDQUOT } ? new StoreException(e.Message, new Remedy.FreeSpace()) : e;
            }
        }
    }

    private static void RequireOwn(SafeFileHandle directory, string path, StoreFormat format)
    {
        if (ObjectStore.IsOfAnotherUser(format, directory, out uint owner))
        {
            throw new StoreException($"{path}: this directory belongs to user {owner}, and so would the store; run as that user");
        }
    }

    /// <summary><see cref="ObjectStore.TryRemoveUnused"/>.</summary>
    internal static bool TryRemove(string path, bool keepsDirectory)
    {
        byte[] bytes = ByteText.FromArgument(path);
        if (Sys.Open(Sys.WorkingDirectory, bytes, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory) != Errno.None)
        {
            return false;
        }

        using (directory)
        {
            // Who uses the store holds the lock, and who is about to holds the gate.
            const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.NoFollow;
            if (Sys.Lock(directory, LockKind.Exclusive, wait: false) != Errno.None
                || Sys.Open(directory, ByteText.FromArgument(LockName), flags, out SafeFileHandle lockFile) != Errno.None)
            {
                return false;
            }

            using (lockFile)
            {
                bool isFree = Sys.Lock(lockFile, LockKind.Exclusive, wait: false) == Errno.None
                    && NamesIn(directory, path).TrueForAll(name =>
                        Encoding.Latin1.GetString(name) is FormatName or Remotes.Room || IsOfNewStore(directory, name));
                if (isFree)
                {
                    TakeBack(directory, path);
                    _ = keepsDirectory ? Errno.None : Sys.RemoveDirectory(Sys.WorkingDirectory, bytes);
                }

                return isFree;
            }
        }
    }

    private static void RequireNone(string path)
    {
        if (ObjectStore.IsStore(path))
        {
            throw new StoreException($"{path}: there is a store already");
        }
    }

    /// <summary>One process at a time makes a store in a directory. It holds the gate (<see cref="StoreGate"/>) meanwhile.</summary>
    private static void TakeTurn(SafeFileHandle directory, string path)
    {
        Errno errno = Sys.Lock(directory, LockKind.Exclusive, wait: false);
        if (errno == Errno.EAGAIN)
        {
            throw new StoreException($"{path}: another process is making a store there; wait for that one");
        }

        errno.ThrowIfFailed("flock", path);
    }

    /// <summary>Throws unless the directory is empty or has only what a killed process left of a store that nobody used.</summary>
    private static void RequireUnused(SafeFileHandle directory, string path)
    {
        foreach (byte[] name in NamesIn(directory, path))
        {
            if (!IsOfNewStore(directory, name))
            {
                throw new StoreException($"{path}: the directory is not empty; give a new one");
            }
        }
    }

    private static bool IsOfNewStore(SafeFileHandle directory, byte[] name) =>
        Encoding.Latin1.GetString(name) is var room && (room == LockName || (StoreRooms.All.Contains(room) && IsUnused(directory, name, room)));

    private static bool IsUnused(SafeFileHandle directory, byte[] name, string room)
    {
        if (Sys.Open(directory, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle opened) != Errno.None)
        {
            return false;
        }

        using (opened)
        {
            return NamesIn(opened, room).TrueForAll(entry => room switch
            {
                "tmp" => TemporaryName.IsOne(entry),
                "files" => entry.Length == 2 && IsUnused(opened, entry, "a fan-out directory"),
                _ => false,
            });
        }
    }

    private static List<byte[]> NamesIn(SafeFileHandle directory, string subject)
    {
        var names = new List<byte[]>();
        var reader = new DirectoryReader();
        reader.Start(directory, subject);
        while (reader.Next())
        {
            names.Add(reader.Name.ToArray());
        }

        return names;
    }

    private static void Fill(SafeFileHandle directory, string path, StoreFormat format)
    {
        if (format.Verity == VerityUse.Required && !Frozen.IsPossible(directory, path))
        {
            throw Frozen.Refusal(path);
        }

        StoreRooms.SetUp(directory, FileModes.PublicDirectory, path);
        StoreRooms.Make(directory, path);
        const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.NoFollow;
        Sys.Open(directory, ByteText.FromArgument(LockName), flags, out SafeFileHandle lockFile, FileModes.PublicFile)
            .ThrowIfFailed("openat", path);
        lockFile.Dispose();
        Sys.SyncFilesystem(directory).ThrowIfFailed("syncfs", path);
        Sys.Open(directory, "tmp"u8, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle temporary).ThrowIfFailed("openat", path);
        using (temporary)
        {
            DurableFile.WriteStaged(temporary, directory, ByteText.FromArgument(FormatName), format.Encode(), path);
        }
    }

    /// <summary>
    /// Removes what <see cref="Fill"/> made, and the names of remotes. The user must learn of the first failure, not of a failed removal.
    /// </summary>
    private static void TakeBack(SafeFileHandle directory, string path)
    {
        foreach (string name in (string[])[FormatName, .. StoreRooms.All, Remotes.Room, LockName])
        {
            TreeRemoval.Remove(directory, ByteText.FromArgument(name), path, _ => { });
        }
    }
}
