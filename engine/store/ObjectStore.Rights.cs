using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <content>Who may read and write a store.</content>
public sealed partial class ObjectStore
{
    /// <summary>
    /// Throws <see cref="StoreException"/> if this process may not write to this store, or if this program does not know a feature that
    /// writers must know.
    /// </summary>
    public void RequireWritable()
    {
        RequireMayWrite(Format, directory, Path);
        if (missing is not null)
        {
            throw missing;
        }
    }

    private static void RequireMayWrite(StoreFormat format, SafeFileHandle directory, string path)
    {
        if (!format.UserMode && !Sys.IsRoot)
        {
            throw new StoreException($"{path}: this store keeps owners and devices, so only root can write to it", new Remedy.WriteAsRoot());
        }

        if (IsOfAnotherUser(format, directory, out uint owner))
        {
            throw new StoreException(
                $"{path}: this store belongs to user {owner}, who could not use what another user writes there; run as that user, or pull from it");
        }

        format.RequireKnown(FeatureSet.ReadOnlyCompatible, path);
    }

    /// <summary>Whether a user store is not this user's. Root's files in there would have modes and an owner that keep the store's user out.</summary>
    internal static bool IsOfAnotherUser(StoreFormat format, SafeFileHandle directory, out uint owner)
    {
        Errno errno = Sys.Stat(directory, out FileStatus status);
        owner = status.Uid;
        return format.UserMode && errno == Errno.None && owner != Sys.EffectiveUid;
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if this process may not read the objects. Only the store's owner and root can read objects.
    /// Everybody can read trees and commits.
    /// </summary>
    public void RequireReadable()
    {
        Errno errno = Sys.Open(directory, "files/00"u8, OpenFlags.Path, out SafeFileHandle objects);
        objects.Dispose();
        if (errno == Errno.EACCES)
        {
            string reader = Format.UserMode ? "its owner" : "root";
            throw new StoreException($"{Path}: only {reader} can read the files in this store; run as {reader}");
        }
    }

    /// <summary>Opens the stat cache for one command. A cache that cannot be used makes the command slower, but does not stop it.</summary>
    public StatCache OpenStatCache() => IsOfAnotherUser(Format, directory, out _)
        ? StatCache.None(Path, "the store belongs to another user")
        : StatCache.Open(directory, Path, expectedEntries: 0);
}
