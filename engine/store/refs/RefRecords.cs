using System.Text;
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

    private readonly LateRoom room;

    internal RefRecords(ObjectStore store, SafeFileHandle top) => room = new LateRoom(store, top, Room);

    /// <summary>The record of a ref, as it was written; empty if there is none.</summary>
    public byte[] Read(string refName) => room.TryRead(FileName(refName), MaxLength) ?? [];

    /// <summary>Replaces the record of a ref, durably.</summary>
    public void Set(string refName, byte[] record)
    {
        if (record.Length > MaxLength)
        {
            throw new ArgumentException($"a record of {record.Length} bytes", nameof(record));
        }

        room.Write(FileName(refName), record);
    }

    // A ref's name may be longer than a file's, and has slashes.
    private static string FileName(string refName) => Digest.Of(Encoding.UTF8.GetBytes(refName)).ToString();
}
