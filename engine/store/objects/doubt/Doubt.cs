using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Decides which objects a commit may rely on. All rules for that are in this class. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// An object is believed by its name, because it gets the name only when it is whole. There are two ways in which a name can be untrue. A
/// process that is about to name such an object first leaves a mark in tmp/ (<see cref="DoubtMark"/>) and holds the mark.
/// </para>
/// <list type="bullet">
/// <item>Unsynced: a filesystem may make an object's name and size durable before its content. After a power cut the object has zeros of
/// the right length. The process removes the mark after its sync.</item>
/// <item>Adopting: a file of a tree became an object as it is (<see cref="Adoption"/>). Until the file's name in the tree is gone, a
/// process that writes to the file writes into the object. The process removes the mark when no adopted file has a name outside the
/// store.</item>
/// </list>
/// <para>
/// A mark that its maker holds raises no doubt. The maker is alive, its objects are right in memory, and the sync of a later commit covers
/// them too. A mark that nobody holds puts the store in doubt.
/// </para>
/// <para>
/// While adopting marks raise doubt, an object may have been adopted if its inode was made before the latest of them and changed after the
/// earliest. Such an object is suspect if it has several links, or other metadata than its name says, even if its content is right now. Every other object
/// is read from the disk, and is suspect if its content is not what its name says. A commit does not rely on a suspect object: a new inode
/// with the right content takes the name.
/// </para>
/// <para>
/// A commit that has read a file compares the object with its name in any case (<see cref="Blobs.FindToAdd"/>), doubt or not.
/// </para>
/// <para>
/// gc ends the doubt. It removes all objects that nothing needs, and then the marks. It keeps the adopting marks if an object that is
/// needed may have been adopted and is not what its name says.
/// </para>
/// <para>
/// A listing of the store's directories (<see cref="ListedObjects"/>) may answer only while nothing is in doubt. Its "yes" is final,
/// because only gc removes names. After its "no" the object is written, and linkat(2) tells whether another process has made the name
/// first.
/// </para>
/// </remarks>
internal sealed class Doubt
{
    private Action? onDoubt;

    internal Doubt(SafeFileHandle temporary, string subject)
    {
        Unsynced = new DoubtMark(temporary, DoubtMark.Unsynced, subject);
        Adopting = new DoubtMark(temporary, DoubtMark.Adopting, subject);
    }

    /// <summary>The mark for objects that have names and are not synced yet.</summary>
    internal DoubtMark Unsynced { get; }

    /// <summary>The mark for objects that may have a name outside the store.</summary>
    internal DoubtMark Adopting { get; }

    /// <summary>Called once, by any thread, before the first object is read because the store is in doubt.</summary>
    internal Action? OnDoubt
    {
        set => Volatile.Write(ref onDoubt, value);
    }

    /// <summary>Whether the store has a mark that nobody holds.</summary>
    internal bool IsAny => Unsynced.IsInDoubt || Adopting.IsInDoubt;

    /// <summary>Whether the object with this status may be a file that a process adopted and then did not remove from its tree.</summary>
    internal bool MayBeAdopted(in FileStatus status) =>
        Adopting.Abandoned is { } marks && status.ChangeTime >= marks.Earliest && !(status.BirthTime >= marks.Latest);

    /// <summary>
    /// Whether a commit may rely on an object. Returns <see cref="ObjectState.There"/>, or the reason why not. The caller has compared the
    /// size.
    /// </summary>
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
        using SafeFileHandle file = objects.Open(name, out _);

        // After a failed sync the page cache has the right content and counts it as written, but the disk may have other content.
        Sys.DropCached(file);
        return FileContent.Read(file, status, null, objects.Subject(name), objects.Stop) == name.Blob ? ObjectState.There : ObjectState.SuspectContent;
    }

    /// <summary>Whether a name in tmp/ is the name of an adopting mark.</summary>
    internal static bool IsAdoptingMark(ReadOnlySpan<byte> name) => name.StartsWith(Encoding.ASCII.GetBytes(DoubtMark.Adopting));
}
