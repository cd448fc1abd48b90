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
    public byte[] Read(Digest commit) => room.TryRead(FileName(commit), MaxLength) ?? [];

    /// <summary>Changes the signatures of a commit, durably. No other process changes any meanwhile.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="change">Makes the new bytes of what is there.</param>
    public void Change(Digest commit, Func<byte[], byte[]> change)
    {
        using SafeFileHandle directory = room.Make();
        Flock.Take(directory, LockKind.Exclusive, room.Path, store.OnWait, store.Stop);
        byte[] before = Read(commit), after = change(before);
        if (after.Length > MaxLength)
        {
            throw new ArgumentException($"signatures of {after.Length} bytes", nameof(change));
        }

        if (!after.AsSpan().SequenceEqual(before))
        {
            room.Write(FileName(commit), after);
        }
    }

    /// <summary>The commits that have signatures. <paramref name="strangers"/> gets the names that are none of a commit's.</summary>
    internal List<Digest> List(List<byte[]>? strangers = null) => room.List<Digest>(TryReadName, strangers);

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
    internal Errno Remove(Digest commit) => room.Remove(ByteText.FromArgument(FileName(commit)));

    /// <summary>The name of a commit's file in the directory.</summary>
    internal static string FileName(Digest commit) => $"{commit}{Extension}";

    /// <summary>The path of a commit's file, below the store.</summary>
    internal static string NameOf(Digest commit) => $"{Room}/{FileName(commit)}";

    private static bool TryReadName(ReadOnlySpan<byte> file, out Digest commit)
    {
        commit = default;
        return file.Length == Digest.HexLength + Extension.Length && file.EndsWith(".sig"u8) && Digest.TryParse(file[..Digest.HexLength], out commit)
            && !commit.IsNone;
    }
}
