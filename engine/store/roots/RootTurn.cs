using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The right to make, change and remove the root of one name, and the only way to write and delete its records. One process at a time has it, by
/// flock(2) on a file in tmp/, until the turn is disposed of or the process ends.
/// </summary>
public sealed class RootTurn : IDisposable
{
    private readonly SafeFileHandle directory;
    private readonly SafeFileHandle temporary;
    private readonly string path;
    private readonly SafeFileHandle? file;
    private bool isOver;

    /// <param name="directory">The directory of records.</param>
    /// <param name="temporary">The store's tmp/.</param>
    /// <param name="path">The path of the directory of records.</param>
    /// <param name="name">The name of the root's record.</param>
    /// <param name="file">The locked file. Null for a process that holds the store's lock exclusively, so that no other process can have a
    /// turn.</param>
    internal RootTurn(SafeFileHandle directory, SafeFileHandle temporary, string path, string name, SafeFileHandle? file)
    {
        this.directory = directory;
        this.temporary = temporary;
        this.path = path;
        this.file = file;
        Name = name;
    }

    /// <summary>The name of the root's record.</summary>
    public string Name { get; }

    /// <summary>Writes the record of the whole root, durably.</summary>
    public void Write(RootRecord record)
    {
        Replace(Name, record);
        SyncNames();
    }

    /// <summary>
    /// Writes the build record of the root. With <paramref name="inOrder"/> the directory of records is not synced: the caller makes a
    /// later name, and this filesystem never keeps a later name without the earlier ones.
    /// </summary>
    public void Write(BuildRecord record, bool inOrder)
    {
        Replace(Roots.PartialName(Name), record);
        if (!inOrder)
        {
            SyncNames();
        }
    }

    /// <summary>Deletes the record of the root, if there is one.</summary>
    public void DeleteRecord() => Delete(Name);

    /// <summary>Deletes the build record of the root, if there is one.</summary>
    public void DeleteBuildRecord() => Delete(Roots.PartialName(Name));

    /// <summary>Deletes the record of the same kind as <paramref name="kind"/>.</summary>
    internal void Delete(RootEntry kind) => Delete(kind is BuildRecord ? Roots.PartialName(Name) : Name);

    /// <summary>
    /// Ends the turn. The lock's file is removed while the lock is still held, so that no other process can hold a lock on a removed file.
    /// </summary>
    public void Dispose()
    {
        if (file is not null && !isOver)
        {
            _ = Sys.Unlink(temporary, LockName(Name));
            file.Dispose();
        }

        isOver = true;
    }

    /// <summary>The file in tmp/ whose lock is the turn of a name.</summary>
    internal static byte[] LockName(string name) => Encoding.UTF8.GetBytes($"building-{name}");

    /// <summary>The path of that file, for messages.</summary>
    internal static string LockPath(string storePath, string name) => $"{storePath}/tmp/building-{name}";

    private void Replace(string entry, RootEntry record)
    {
        RequireHeld();
        byte[] bytes = record.Encode();
        if (!Roots.IsNameOf(Name, record.Path) || !record.Equals(RootEntry.Decode(entry, bytes)))
        {
            throw new InvalidOperationException($"{Subject(entry)}: not a record of '{record.Path}' that could be read again");
        }

        DurableFile.WriteStaged(temporary, directory, Roots.FileName(entry), bytes, Subject(entry), isNameSynced: false);
    }

    private void Delete(string entry)
    {
        RequireHeld();
        Errno errno = Sys.Unlink(directory, Roots.FileName(entry));
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", Subject(entry));
        }
    }

    private void SyncNames() => Sys.Sync(directory).ThrowIfFailed("fsync", Subject(Name));

    private void RequireHeld() => ObjectDisposedException.ThrowIf(isOver, this);

    private string Subject(string entry) => $"{path}/{entry}.json";
}
