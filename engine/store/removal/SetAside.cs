using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// A part of a directory that is moved into the store's tmp/, to be moved back or removed later. What a killed process left there is litter.
/// </summary>
/// <param name="store">The store. The directory must be on its mount.</param>
/// <param name="name">The part's name in the directory.</param>
/// <param name="subject">The part's path, for messages.</param>
public sealed class SetAside(ObjectStore store, byte[] name, string subject)
{
    private readonly byte[] nameAside = TemporaryName.New();
    private bool isAside;

    /// <summary>Moves the part out of the open directory. Does nothing if there is none.</summary>
    public void MoveOut(SafeFileHandle directory)
    {
        Errno errno = Sys.RenameNew(directory, name, store.Temporary, nameAside);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("renameat2", subject);
            isAside = true;
        }
    }

    /// <summary>Moves the part back, if it was moved out. What took its place is removed.</summary>
    public void MoveBack(SafeFileHandle directory)
    {
        if (isAside)
        {
            TreeRemoval.Remove(directory, name, subject);
            Sys.RenameNew(store.Temporary, nameAside, directory, name).ThrowIfFailed("renameat2", subject);
            isAside = false;
        }
    }

    /// <summary>Removes the part, if it was moved out. What cannot be removed now is left to gc.</summary>
    public void Remove()
    {
        if (isAside)
        {
            TreeRemoval.Remove(store.Temporary, nameAside, subject, onRest: _ => { });
        }
    }
}
