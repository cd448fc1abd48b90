using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// What signers said last of where refs stand: one file for each ref that has such a record, <c>records/REF</c> (FORMAT.md, section 8). The directory is
/// made with the first. What is in a file is not known here. It outlives the ref, so that who serves an older record is found out.
/// </summary>
public sealed class RefRecords
{
    /// <summary>The longest file in bytes.</summary>
    public const int MaxLength = 16 * 1024;

    internal const string Room = "records";

    private readonly ObjectStore store;
    private readonly LateRoom room;

    internal RefRecords(ObjectStore store, SafeFileHandle top)
    {
        this.store = store;
        room = new LateRoom(store, top, Room);
    }

    /// <summary>The record of a ref, as it was written; empty if there is none.</summary>
    public byte[] Read(string refName)
    {
        using SafeFileHandle? directory = room.TryOpen();
        return directory is null ? [] : SmallFile.TryRead(directory, FileName(refName), Subject(refName), MaxLength) ?? [];
    }

    /// <summary>Replaces the record of a ref, durably.</summary>
    public void Set(string refName, byte[] record)
    {
        if (record.Length > MaxLength)
        {
            throw new ArgumentException($"a record of {record.Length} bytes", nameof(record));
        }

        using SafeFileHandle directory = room.Make();
        DurableFile.WriteStaged(store.Temporary, directory, FileName(refName), record, Subject(refName));
    }

    // A ref's name may be longer than a file's, and has slashes.
    private static byte[] FileName(string refName) => ByteText.FromArgument(Digest.Of(Encoding.UTF8.GetBytes(refName)).ToString());

    private string Subject(string refName) => $"{room.Path}/{ByteText.Quote(FileName(refName))}";
}
