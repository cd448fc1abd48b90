using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The right to make files of a tree objects as they are. The inode gets the object's name beside its own name, and no content is copied.
/// Until the file's own name is gone, a process that writes to the file writes into the object. So only a tree that is to be removed is
/// adopted, in a place that other processes cannot reach by path (TreeConsume in checkout). An adopting mark stands from the first file
/// until <see cref="End"/>. If the adoption is disposed of without <see cref="End"/>, the mark stays, and the store is in doubt
/// (<see cref="Doubt"/>). Thread-safe.
/// </summary>
public sealed class Adoption : IDisposable
{
    private readonly Blobs objects;
    private readonly DoubtMark mark;
    private readonly ulong device;

    internal Adoption(Blobs objects, DoubtMark mark, ulong device)
    {
        this.objects = objects;
        this.mark = mark;
        this.device = device;
    }

    /// <summary>Whether a file became an object that may have a name outside the store.</summary>
    public bool HasAdopted => mark.IsSet;

    /// <summary>
    /// Makes a file an object as it is, or copies it (<see cref="Additions.AdoptFile"/>). Returns the blob's digest.
    /// </summary>
    internal Digest AddFile(SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject)
    {
        // A file that must be copied is read only once this way.
        if (status.LinkCount != 1 || status.Device != device)
        {
            return objects.AddFile(source, status, metadata, xattrs, buffer, subject);
        }

        Digest digest = FileContent.Read(source, status, null, subject, objects.Stop);
        ObjectName name = objects.NameOf(digest, metadata, xattrs);
        FileStatus known = status;
        ObjectState state = objects.FindToAdd(name, status.Size, xattrs);
        if (state == ObjectState.There)
        {
            Blobs.RequireUnchanged(source, status, subject);
            return digest;
        }

        return TryAdopt(source, ref known, name, state, subject) ? digest : objects.AddFile(source, known, metadata, xattrs, buffer, subject);
    }

    /// <summary>Whether the file with this status is the inode of an entry's object.</summary>
    public bool IsObject(in TreeEntry entry, in FileStatus status) => objects.SharesInode(objects.NameOf(entry), status);

    /// <summary>Whether the object of an entry has another name than the store's, in a root or elsewhere.</summary>
    public bool HasOtherName(in TreeEntry entry) => objects.TryStat(objects.NameOf(entry), out FileStatus status) && status.LinkCount > 1;

    /// <summary>
    /// Makes sure that an object does not share its inode with a file that keeps a name or a writer: a new inode takes the object's name.
    /// False if the content is no longer what the object's name says.
    /// </summary>
    public bool TrySeparate(in TreeEntry entry, in FileStatus status) => objects.TrySeparate(objects.NameOf(entry), status, entry.Xattrs);

    /// <summary>Removes the mark. Call this when no adopted file has a name outside the store or a writer any more.</summary>
    public void End() => mark.End(mark.Take(), isSafe: true);

    /// <summary>Leaves the mark, if there is one, because adopted files may have names outside the store.</summary>
    public void Dispose() => mark.End(mark.Take(), isSafe: false);

    private bool TryAdopt(SafeFileHandle source, ref FileStatus status, in ObjectName name, ObjectState state, object subject)
    {
        // Writers are looked for first, then the times: a writer that has just closed the file has changed its times. A file that changed
        // is copied or refused. To set its time here would hide that it was written to, and to set its owner would clear set-id bits and
        // capabilities.
        bool isWritable = Sys.ProbeForWriters(source) != Errno.None;
        Sys.Stat(source, out FileStatus now).ThrowIfFailed("statx", subject);
        if (isWritable || (now.Size, now.ModifyTime, now.ChangeTime) != (status.Size, status.ModifyTime, status.ChangeTime))
        {
            return false;
        }

        mark.Set();
        if (!mark.Covers(now, FileTime.Now))
        {
            return false;
        }

        try
        {
            // From here on nobody can write to the file, and a change that its times do not tell shows in its digest.
            if (!objects.TryFreeze(source, name.Blob))
            {
                return false;
            }

            // The inode has the object's metadata already, except that its time may have fractions of a second.
            Sys.SetTime(source, name.Metadata.ModifyTime).ThrowIfFailed("futimens", subject);
            objects.GiveName(source, name, status.Size, state);
            return true;
        }
        catch (LinuxException e) when (e.Errno == Errno.EXDEV)
        {
            // The tree is on the same filesystem through another mount, and link(2) does not cross mounts. The new status has the time that
            // was set here, so that the copy does not take it for a change by another process.
            Sys.Stat(source, out status).ThrowIfFailed("statx", subject);
            return false;
        }
    }
}
