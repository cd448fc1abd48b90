using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Decides which objects a commit may rely on. All rules about that are here. Thread-safe.
/// </summary>
/// <remarks>
/// An object is believed by its name, because it gets the name only when it is whole. Two things can make a name untrue. Before a process names the
/// first object that one of them could make untrue, it leaves a mark in tmp/ (<see cref="DoubtMark"/>) and holds it.
/// <list type="bullet">
/// <item>Unsynced: a filesystem may make an object's name and size durable before its content. After a power cut the object is zeros of the right
/// length. The process ends the mark when it has synced.</item>
/// <item>Adopting: a file of a tree became an object as it is (<see cref="Adoption"/>). Until its name in the tree is gone, who writes to the file writes
/// into the object. The process ends the mark when no adopted file has a name outside the store.</item>
/// </list>
/// A mark that its maker holds raises no doubt: the maker is alive, its objects are right in memory, and the sync of a later commit covers them too.
/// A mark that nobody holds puts the store in doubt, from the time the mark was made. Then an object may have been adopted if its inode changed
/// since that time and was made before: if it has several links or other metadata than its name says, the object is suspect, however right its content
/// is now. Every other object is read, from the disk, and is suspect if the content is another. A suspect object is not relied on; an inode with the
/// right content takes its name. Doubt ends with gc: it removes all objects that nothing needs, then the marks. It keeps an adopting mark while an
/// object that is needed may have been adopted and is not what its name says.
/// A listing of the store's directories (<see cref="ListedObjects"/>) may answer in place of all this only while nothing is in doubt. Its "yes" is then
/// final, because only gc removes names. After its "no" the object is written, and giving the name tells whether another process was faster.
/// </remarks>
internal sealed class Doubt
{
    private Action? onDoubt;

    internal Doubt(SafeFileHandle temporary, string subject)
    {
        Unsynced = new DoubtMark(temporary, DoubtMark.Unsynced, subject);
        Adopting = new DoubtMark(temporary, DoubtMark.Adopting, subject);
    }

    /// <summary>The mark of objects that were named and not synced yet.</summary>
    internal DoubtMark Unsynced { get; }

    /// <summary>The mark of objects that may have a name outside the store.</summary>
    internal DoubtMark Adopting { get; }

    /// <summary>Called once, by any thread, before the first object is read because the store is in doubt.</summary>
    internal Action? OnDoubt
    {
        set => Volatile.Write(ref onDoubt, value);
    }

    /// <summary>Whether the store has a mark that nobody holds.</summary>
    internal bool IsAny => Unsynced.IsInDoubt || Adopting.IsInDoubt;

    /// <summary>Whether an object with that status may be a file that a process adopted and then failed to remove from its tree.</summary>
    internal bool MayBeAdopted(in FileStatus status) =>
        Adopting.DoubtedSince is { } since && status.ChangeTime >= since && !(status.BirthTime >= since);

    /// <summary>Whether a commit may rely on an object that has its size: <see cref="ObjectState.There"/>, or a reason why not.</summary>
    internal ObjectState Judge(Blobs objects, in ObjectName name, in FileStatus status)
    {
        if (!IsAny)
        {
            return ObjectState.There;
        }

        if (MayBeAdopted(status) && (status.LinkCount > 1 || !objects.HasMetadata(name, status)))
        {
            return ObjectState.SuspectName;
        }

        Interlocked.Exchange(ref onDoubt, null)?.Invoke();
        using SafeFileHandle file = objects.Open(name);

        // After a failed sync the page cache has what should have been written, and calls it clean.
        Sys.DropCached(file);
        return FileContent.Read(file, status, null, objects.Subject(name), objects.Stop) == name.Blob ? ObjectState.There : ObjectState.SuspectContent;
    }

    /// <summary>Whether a name in tmp/ is that of an adopting mark.</summary>
    internal static bool IsAdoptingMark(ReadOnlySpan<byte> name) => name.StartsWith(Encoding.ASCII.GetBytes(DoubtMark.Adopting));
}
