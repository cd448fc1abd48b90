using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The right to make files of a tree objects as they are: the inode gets the object's name beside its own, and no content is copied. Until the file's own
/// name is gone, who writes to the file writes into the object; so only a tree that is about to go is adopted, out of a place that nobody reaches by path
/// (checkout's TreeConsume). An adopting mark stands from the first file until <see cref="End"/>; disposed without that, the mark stays, and the
/// store is in doubt (<see cref="Doubt"/>). Thread-safe.
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

    /// <summary>Whether a file became an object, and may have a name outside the store.</summary>
    public bool HasAdopted => mark.IsSet;

    /// <summary>
    /// Makes a file an object as it is, or copies it (<see cref="Additions.AdoptFile"/>). Answers the blob's digest.
    /// </summary>
    internal Digest AddFile(SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject)
    {
        // What has to be copied anyway is read only once that way.
        if (status.LinkCount != 1 || status.Device != device)
        {
            return objects.AddFile(source, status, metadata, xattrs, buffer, subject);
        }

        Digest digest = FileContent.Read(source, status, null, subject, objects.Stop);
        ObjectName name = objects.NameOf(digest, metadata, xattrs);
        FileStatus known = status;
        if (objects.Find(name, status.Size, xattrs) == ObjectState.There)
        {
            Blobs.RequireUnchanged(source, status, subject);
            return digest;
        }

        return TryAdopt(source, ref known, name, subject) ? digest : objects.AddFile(source, known, metadata, xattrs, buffer, subject);
    }

    /// <summary>Whether a file of that status is the inode of an entry's object.</summary>
    public bool IsObject(in TreeEntry entry, in FileStatus status) => objects.SharesInode(objects.NameOf(entry), status);

    /// <summary>Whether the object of an entry has a name beside its own, in a root or elsewhere.</summary>
    public bool HasOtherName(in TreeEntry entry) => objects.TryStat(objects.NameOf(entry), out FileStatus status) && status.LinkCount > 1;

    /// <summary>
    /// Makes sure that an object does not share its inode with a file that will keep a name or a writer: an inode of its own takes the object's name.
    /// Answers false if the content is not the object's any more.
    /// </summary>
    public bool TrySeparate(in TreeEntry entry, in FileStatus status) => objects.TrySeparate(objects.NameOf(entry), status, entry.Xattrs);

    /// <summary>Says that no adopted file has a name outside the store, or a writer, any more: the mark goes.</summary>
    public void End() => mark.End(mark.Take(), isSafe: true);

    /// <summary>Leaves the mark where there is one: adopted files may have names outside the store.</summary>
    public void Dispose() => mark.End(mark.Take(), isSafe: false);

    private bool TryAdopt(SafeFileHandle source, ref FileStatus status, in ObjectName name, object subject)
    {
        // First the writers, then the look: what a writer did that is gone by now shows in the times. A file that changed is copied instead, or
        // refused: to set its time would hide that it was written to, and to set its owner would clear set-id bits and capabilities.
        bool isWritable = Sys.ProbeForWriters(source) != Errno.None;
        Sys.Stat(source, out FileStatus now).ThrowIfFailed("statx", subject);
        if (isWritable || (now.Size, now.ModifyTime, now.ChangeTime) != (status.Size, status.ModifyTime, status.ChangeTime))
        {
            return false;
        }

        mark.Set();
        if (now.BirthTime >= mark.MadeAt)
        {
            // An inode younger than the mark is known for one of the store's own.
            return false;
        }

        try
        {
            // The inode has the object's metadata already, but for parts of a second.
            Sys.SetTime(source, name.Metadata.ModifyTime).ThrowIfFailed("futimens", subject);
            objects.GiveName(source, name, status.Size);
            return true;
        }
        catch (LinuxException e) when (e.Errno == Errno.EXDEV)
        {
            // The same filesystem through another mount: links do not cross it. The time that was set is not somebody else's change.
            Sys.Stat(source, out status).ThrowIfFailed("statx", subject);
            return false;
        }
    }
}
