using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// This file has the methods by which content leaves the store. All content is compared with its digest on the way. Metadata is not: what a
/// caller writes has the metadata of the tree, not of the object's inode. A clone of an object (<see cref="TryClone"/>) moves no bytes, so
/// its content is read only if the inode's metadata says that something wrote to it.
/// </summary>
/// <remarks>
/// A caller names the file for messages by <c>place</c>: an object whose text is the file's path and its commit. The text is made only if
/// there is an error.
/// </remarks>
public sealed partial class Blobs
{
    /// <summary>The size of the buffer that <see cref="Read"/> needs, in bytes.</summary>
    public const int ReadSize = Verity.SegmentSize;

    private const string Wrong = "its content is not what its name says";

    // Each thread has its own.
    [ThreadStatic]
    private static byte[]? readBuffer;

    private volatile bool cannotCloneOut;

    /// <summary>
    /// Gives the content of a file to <paramref name="write"/>, piece by piece. The last piece, of up to <see cref="ReadSize"/> bytes, is
    /// given only after all of the content was compared, so a receiver never has all bytes of a damaged file. Throws
    /// <see cref="CorruptException"/> if the object is missing or damaged.
    /// </summary>
    public void Read(in TreeEntry entry, object place, ContentWriter write)
    {
        if (entry.Size == 0)
        {
            return;
        }

        ObjectName name = NameOf(entry);
        using SafeFileHandle file = OpenChecked(entry, name, place, out _);
        Span<byte> buffer = readBuffer ??= GC.AllocateUninitializedArray<byte>(ReadSize);
        VerityTree? tree = entry.Size > ReadSize ? new VerityTree(entry.Size) : null;
        Span<byte> hash = stackalloc byte[Digest.Size];
        for (long offset = 0; offset < entry.Size; offset += ReadSize)
        {
            Stop.ThrowIfCancellationRequested();
            Span<byte> piece = buffer[..(int)Math.Min(ReadSize, entry.Size - offset)];
            ReadPiece(file, piece, offset, name, place);
            if (tree is not null)
            {
                Verity.HashSegment(piece, entry.Size, hash);
                tree.Append(hash);
            }

            if (offset + piece.Length == entry.Size)
            {
                RequireContent(tree?.Finish() ?? Verity.Compute(piece), entry, name, place);
            }

            write(piece);
        }
    }

    /// <summary>The whole content of a file that is known to be short. Throws as <see cref="Read"/> does.</summary>
    public byte[] ReadAll(in TreeEntry entry, object place)
    {
        byte[] content = new byte[entry.Size];
        int length = 0;
        Read(entry, place, piece =>
        {
            piece.CopyTo(content.AsSpan(length));
            length += piece.Length;
        });
        return content;
    }

    /// <summary>
    /// Copies the content of a file to a new, empty file, and keeps holes. The copy shares extents if the filesystem can. Throws
    /// <see cref="CorruptException"/> if the object is missing or damaged; then the new file holds anything.
    /// </summary>
    public void Copy(in TreeEntry entry, SafeFileHandle target, object place)
    {
        ObjectName name = NameOf(entry);
        using SafeFileHandle file = OpenChecked(entry, name, place, out FileStatus status);
        bool isClone = !cannotCloneOut && Sys.Clone(file, target) == Errno.None;
        cannotCloneOut = !isClone;
        Digest content = status.Size <= ReadSize
            ? CopySmall(file, status, isClone ? null : target, name, place)
            : FileContent.Read(file, status, isClone ? null : target, Subject(name, place), Stop);
        RequireContent(content, entry, name, place);
    }

    /// <summary>
    /// Makes a new, empty file share the extents of a file's object. Returns the errno, such as EOPNOTSUPP or EXDEV. Throws
    /// <see cref="CorruptException"/> if the object is missing, or has another size than the tree says. The content is compared only if the
    /// inode has other metadata than the object's name says.
    /// </summary>
    public Errno TryClone(in TreeEntry entry, SafeFileHandle target, object place)
    {
        ObjectName name = NameOf(entry);
        using SafeFileHandle file = OpenChecked(entry, name, place, out FileStatus status);
        if (ObjectInode.Compare(format, name.Metadata, status) != ObjectFaults.None)
        {
            RequireContent(FileContent.Read(file, status, null, Subject(name, place), Stop), entry, name, place);
        }

        return Sys.Clone(file, target);
    }

    /// <summary>
    /// Opens the object of a file, for a caller who compares the content. Throws <see cref="CorruptException"/> if the object is missing, is
    /// no regular file, or has another size than the tree says.
    /// </summary>
    public SafeFileHandle Open(in TreeEntry entry, object place, out FileStatus status) => OpenChecked(entry, NameOf(entry), place, out status);

    /// <summary>The failure of a file whose object has other content than the tree says.</summary>
    public CorruptException OtherContent(in TreeEntry entry, object place) => Damaged(NameOf(entry), place, Wrong);

    private SafeFileHandle OpenChecked(in TreeEntry entry, in ObjectName name, object place, out FileStatus status)
    {
        SafeFileHandle file = Open(name, out status, place);
        if (status.Size == entry.Size)
        {
            return file;
        }

        file.Dispose();
        throw Damaged(name, place, $"it has {status.Size} bytes where the commit says {entry.Size}");
    }

    private Digest CopySmall(SafeFileHandle file, in FileStatus status, SafeFileHandle? target, in ObjectName name, object place)
    {
        Span<byte> content = (readBuffer ??= GC.AllocateUninitializedArray<byte>(ReadSize)).AsSpan(0, (int)status.Size);
        ReadPiece(file, content, 0, name, place);
        if (target is not null && FileContent.IsSparse(status))
        {
            target.Resize(status.Size, place);
        }

        if (target is not null)
        {
            FileContent.Write(target, content, 0, FileContent.IsSparse(status), place);
        }

        return Verity.Compute(content);
    }

    private void ReadPiece(SafeFileHandle file, Span<byte> piece, long offset, in ObjectName name, object place)
    {
        Sys.ReadAt(file, piece, offset, out int count).ThrowIfFailed("pread", $"{Subject(name, place)}");
        if (count != piece.Length)
        {
            throw Damaged(name, place, "it became shorter while it was read");
        }
    }

    private void RequireContent(Digest content, in TreeEntry entry, in ObjectName name, object place)
    {
        if (content != entry.Digest)
        {
            throw Damaged(name, place, Wrong);
        }
    }

    private CorruptException Damaged(in ObjectName name, object? place, string fault) => new(Subject(name, place), fault, new Remedy.HealObject());

    /// <summary>A file and its object in messages.</summary>
    private string Subject(in ObjectName name, object? place) => place is null ? Subject(name) : $"{place} (object {Subject(name)})";
}

/// <summary>Takes the next bytes of some content.</summary>
public delegate void ContentWriter(ReadOnlySpan<byte> piece);
