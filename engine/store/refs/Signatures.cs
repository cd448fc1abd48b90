using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The signatures of commits: one file for each commit that has any, <c>signatures/COMMIT.sig</c> (FORMAT.md, section 8). The directory is made with the
/// first. What is in a file is not known here, and not trusted: a reader checks it against the commit.
/// </summary>
public sealed class Signatures
{
    /// <summary>The longest file in bytes.</summary>
    public const int MaxLength = 64 * 1024;

    internal const string Room = "signatures";

    private const string Extension = ".sig";

    private readonly ObjectStore store;
    private readonly LateRoom room;

    internal Signatures(ObjectStore store, SafeFileHandle top)
    {
        this.store = store;
        room = new LateRoom(store, top, Room);
    }

    /// <summary>The signatures of a commit, as they were written; empty if there are none.</summary>
    public byte[] Read(Digest commit)
    {
        using SafeFileHandle? directory = room.TryOpen();
        return directory is null ? [] : Read(directory, commit);
    }

    /// <summary>Changes the signatures of a commit, durably. No other process changes any meanwhile.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="change">Makes the new bytes of what is there.</param>
    public void Change(Digest commit, Func<byte[], byte[]> change)
    {
        using SafeFileHandle directory = room.Make();
        Flock.Take(directory, LockKind.Exclusive, room.Path, store.OnWait, store.Stop);
        byte[] before = Read(directory, commit), after = change(before);
        if (after.Length > MaxLength)
        {
            throw new ArgumentException($"signatures of {after.Length} bytes", nameof(change));
        }

        if (!after.AsSpan().SequenceEqual(before))
        {
            DurableFile.WriteStaged(store.Temporary, directory, ByteText.FromArgument(FileName(commit)), after, Subject(commit));
        }
    }

    /// <summary>The commits that have signatures. <paramref name="strangers"/> gets the names that are none of a commit's.</summary>
    internal List<Digest> List(List<byte[]>? strangers = null)
    {
        var commits = new List<Digest>();
        using SafeFileHandle? directory = room.TryOpen();
        if (directory is null)
        {
            return commits;
        }

        var reader = new DirectoryReader();
        reader.Start(directory, room.Path);
        while (reader.Next())
        {
            if (CommitOf(reader.Name) is { IsNone: false } commit)
            {
                commits.Add(commit);
            }
            else
            {
                strangers?.Add(reader.Name.ToArray());
            }
        }

        return commits;
    }

    /// <summary>Whether the file of a commit is one that a reader takes.</summary>
    internal bool IsReadable(Digest commit)
    {
        try
        {
            return Read(commit).Length > 0;
        }
        catch (CorruptException)
        {
            return false;
        }
    }

    /// <summary>Removes the signatures of a commit.</summary>
    internal Errno Remove(Digest commit)
    {
        using SafeFileHandle? directory = room.TryOpen();
        return directory is null ? Errno.ENOENT : Sys.Unlink(directory, ByteText.FromArgument(FileName(commit)));
    }

    /// <summary>The name of a commit's file in the directory.</summary>
    internal static string FileName(Digest commit) => $"{commit}{Extension}";

    /// <summary>The path of a commit's file, below the store.</summary>
    internal static string NameOf(Digest commit) => $"{Room}/{FileName(commit)}";

    private byte[] Read(SafeFileHandle directory, Digest commit) =>
        SmallFile.TryRead(directory, ByteText.FromArgument(FileName(commit)), Subject(commit), MaxLength) ?? [];

    private static Digest CommitOf(ReadOnlySpan<byte> name) =>
        name.Length == Digest.HexLength + Extension.Length && name.EndsWith(".sig"u8) && Digest.TryParse(name[..Digest.HexLength], out Digest commit)
            ? commit
            : default;

    private string Subject(Digest commit) => $"{store.Path}/{NameOf(commit)}";
}
