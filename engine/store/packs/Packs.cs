using System.Diagnostics.CodeAnalysis;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Finds trees and commits in the packs of a store. Packs never change, so a tree or commit that was read stays true. If a tree or commit
/// is not found, the packs are listed again, because another process may have added a pack. Thread-safe.
/// </summary>
public sealed class Packs : IDisposable
{
    private readonly PackDirectory directory;
    private readonly SafeFileHandle temporary;
    private readonly string path;
    private readonly Lock gate = new();
    private readonly BlockCache blocks = new();
    private PackFile[] unnamed = [];

    internal Packs(SafeFileHandle directory, SafeFileHandle temporary, string path)
    {
        this.directory = new PackDirectory(directory, path);
        this.temporary = temporary;
        this.path = path;
    }

    /// <summary>The packs that the last listing found.</summary>
    internal IReadOnlyList<PackFile> Files => directory.Known.Files;

    /// <summary>Starts a new pack. For <see cref="Additions"/>, <see cref="PublishedCommit"/> and <see cref="ScratchPack"/> only.</summary>
    internal PackWriter NewPack() => new(temporary, path);

    /// <summary><see cref="PackDirectory.Add"/>.</summary>
    internal void Add(PackWriter writer, Digest name) => directory.Add(writer, name);

    /// <summary><see cref="PackDirectory.AddAlone"/>.</summary>
    internal Digest AddAlone(PackWriter writer) => directory.AddAlone(writer);

    /// <summary><see cref="PackDirectory.TryTakeMergeTurn"/>.</summary>
    internal SafeFileHandle? TryTakeMergeTurn() => directory.TryTakeMergeTurn();

    /// <summary><see cref="PackDirectory.IsDirectory"/>.</summary>
    internal bool IsDirectory(Digest name) => directory.IsDirectory(name);

    /// <summary><see cref="PackDirectory.IsFixed"/>.</summary>
    internal bool IsFixed(Digest name) => directory.IsFixed(name);

    /// <summary><see cref="PackDirectory.Remove"/>.</summary>
    internal void Remove(Digest name) => directory.Remove(name);

    /// <summary><see cref="PackDirectory.Forget"/>.</summary>
    internal void Forget() => directory.Forget();

    /// <summary>Completes a pack for this process only. Its trees can be read until the store is closed.</summary>
    internal void Attach(PackWriter writer)
    {
        (SafeFileHandle file, Digest name, string subject) = writer.OpenUnnamed();
        Attach(file, name, subject);
    }

    /// <summary>
    /// Lets this process read the trees and commits of a pack from elsewhere, until the store is closed. Nothing in the pack is trusted: what is
    /// read is compared with its digest. Takes over the file.
    /// </summary>
    public void Attach(SafeFileHandle pack, Digest name, string subject)
    {
        lock (gate)
        {
            unnamed = [.. unnamed, new PackFile(pack, name, subject, remedy: null)];
        }
    }

    /// <summary>Lets this process read the packs of another store, likewise. A pack that cannot be opened is passed over.</summary>
    public void AttachAll(ObjectStore other)
    {
        const OpenFlags open = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        var tried = new HashSet<Digest>();
        for (bool isGone = true; isGone;)
        {
            isGone = false;
            foreach (PackFile pack in other.Packs.Files.Where(pack => tried.Add(pack.Name)))
            {
                string path = $"{other.Path}/packs/{pack.Name}.pack";
                Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), open, out SafeFileHandle file);
                if (errno == Errno.None)
                {
                    Attach(file, pack.Name, path);
                }
                else if (errno == Errno.ENOENT)
                {
                    // It was merged into one that a new listing finds.
                    isGone = true;
                    other.Packs.Forget();
                }
            }
        }
    }

    /// <summary>Whether a pack that the last listing found has the tree or commit.</summary>
    public bool Contains(Digest digest)
    {
        PackSet packs = directory.Known;
        if (packs.FindSmall(digest) is not null)
        {
            return true;
        }

        Exception? damage = null;
        foreach (PackFile file in packs.Others)
        {
            if (TryFind(file, digest, ref damage, out _))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Reads a tree. If <paramref name="reused"/> is given, the bytes are put into it. Throws <see cref="CorruptException"/> if the tree is
    /// missing or damaged.
    /// </summary>
    public Tree ReadTree(Digest digest, TreeBuffer? reused = null)
    {
        ReadOnlyMemory<byte> bytes = TryRead(PackedKind.Tree, digest, reused, out ReadOnlyMemory<byte> found)
            ? found
            : throw new CorruptException(path, $"tree {digest} is missing", new Remedy.CheckStore()) { IsMissing = true };
        return Tree.TryDecode(bytes, out Tree? tree, out string? error)
            ? tree
            : throw new CorruptException(path, $"tree {digest} is damaged ({error})", new Remedy.CheckStore());
    }

    /// <summary>Reads a commit; false if no pack has it. Throws <see cref="CorruptException"/> if it is damaged.</summary>
    public bool TryReadCommit(Digest digest, [NotNullWhen(true)] out Commit? commit)
    {
        commit = null;
        if (!TryRead(PackedKind.Commit, digest, null, out ReadOnlyMemory<byte> bytes))
        {
            return false;
        }

        return Commit.TryDecode(bytes.Span, out commit, out string? error)
            ? true
            : throw new CorruptException(path, $"commit {digest} is damaged ({error})", new Remedy.CheckStore());
    }

    /// <summary>Reads a commit. Throws <see cref="CorruptException"/> if it is missing or damaged.</summary>
    public Commit ReadCommit(Digest digest) =>
        TryReadCommit(digest, out Commit? commit) ? commit
            : throw new CorruptException(path, $"commit {digest} is missing", new Remedy.CheckStore()) { IsMissing = true };

    /// <summary>Finds at most <paramref name="most"/> commits whose digests begin with the given hexadecimal digits.</summary>
    internal List<Digest> CommitsWithPrefix(string prefix, int most)
    {
        if (!Digest.TryParse(prefix.PadRight(Digest.HexLength, '0'), out Digest first)
            || !Digest.TryParse(prefix.PadRight(Digest.HexLength, 'f'), out Digest last))
        {
            return [];
        }

        Forget();
        var found = new HashSet<Digest>();
        Exception? damage = null;
        foreach (PackFile file in Files)
        {
            try
            {
                AddCommits(file, first, last, most, found);
            }
            catch (Exception e) when (PackFile.IsUnreadable(e))
            {
                damage ??= e;
            }
        }

        // A pack that cannot be read may have had the commit.
        return found.Count > 0 || damage is null ? [.. found] : throw damage;
    }

    private static void AddCommits(PackFile file, Digest first, Digest last, int most, HashSet<Digest> found)
    {
        for (int i = file.LowerBound(first); i < file.Count && found.Count < most; i++)
        {
            IndexRow row = file.Row(i);
            if (row.Digest > last)
            {
                break;
            }

            if (row.Kind == PackedKind.Commit)
            {
                found.Add(row.Digest);
            }
        }
    }

    /// <summary>Reads the bytes of a tree or commit from a pack. They are not compared with the digest.</summary>
    internal ReadOnlyMemory<byte> Read(PackFile file, IndexRow row, TreeBuffer? reused = null)
    {
        Memory<byte> bytes = reused?.Take(row.Length) ?? GC.AllocateUninitializedArray<byte>(row.Length);
        blocks.Read(file, row, bytes.Span);
        return bytes;
    }

    /// <summary>Whether a pack's copy of a tree or commit has the right digest.</summary>
    internal bool IsSound(PackFile file, IndexRow row)
    {
        Exception? damage = null;
        return TryRead(file, row, null, ref damage, out _);
    }

    /// <summary>Whether a pack that has a name, other than the excepted ones, has a tree or commit with the right digest.</summary>
    internal bool HasSound(PackedKind kind, Digest digest, IReadOnlySet<Digest> except)
    {
        Exception? damage = null;
        return TryRead([.. Files.Where(file => !except.Contains(file.Name))], kind, digest, null, ref damage, out _);
    }

    /// <summary>Reads a tree or commit from any pack that has a sound copy; false if none has.</summary>
    internal bool TryReadSound(PackedKind kind, Digest digest, out ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return TryRead(kind, digest, null, out bytes);
        }
        catch (Exception e) when (PackFile.IsUnreadable(e))
        {
            bytes = default;
            return false;
        }
    }

    /// <summary>
    /// Reads a tree or commit from a pack. If that copy is damaged, it is read from another pack that has it. Throws
    /// <see cref="CorruptException"/> if no copy has the right digest.
    /// </summary>
    internal ReadOnlyMemory<byte> ReadSound(PackFile file, IndexRow row)
    {
        Exception? damage = null;
        return TryRead(file, row, null, ref damage, out ReadOnlyMemory<byte> bytes) || TryReadKnown(row.Kind, row.Digest, null, out bytes)
            ? bytes
            : throw damage!;
    }

    /// <summary>
    /// Copies what is wanted of a pack into a new one, unless that has it. Each copy is compared with its digest: this is the last chance to notice damage
    /// before the original is removed. Throws as <see cref="ReadSound"/> does.
    /// </summary>
    internal void Copy(PackFile pack, PackWriter target, Predicate<IndexRow> isWanted)
    {
        foreach (IndexRow row in pack.RowsInBlockOrder())
        {
            if (isWanted(row) && !target.Contains(row.Digest))
            {
                target.Add(row.Kind, row.Digest, ReadSound(pack, row).Span);
            }
        }
    }

    /// <summary>Closes every pack.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            foreach (PackFile file in unnamed)
            {
                file.Dispose();
            }
        }

        directory.Dispose();
    }

    private bool TryRead(PackedKind kind, Digest digest, TreeBuffer? reused, out ReadOnlyMemory<byte> bytes)
    {
        if (TryReadKnown(kind, digest, reused, out bytes))
        {
            return true;
        }

        Forget();
        return TryReadKnown(kind, digest, reused, out bytes);
    }

    private bool TryReadKnown(PackedKind kind, Digest digest, TreeBuffer? reused, out ReadOnlyMemory<byte> bytes)
    {
        PackSet packs = directory.Known;
        Exception? damage = null;
        PackFile[] searched = packs.Others;
        if (packs.FindSmall(digest) is var (small, smallRow))
        {
            if (smallRow.Kind == kind && TryRead(small, smallRow, reused, ref damage, out bytes))
            {
                return true;
            }

            // Another pack may have a good copy.
            searched = packs.Files;
        }

        if (TryRead(searched, kind, digest, reused, ref damage, out bytes) || TryRead(unnamed, kind, digest, reused, ref damage, out bytes))
        {
            return true;
        }

        // A damaged pack does not matter if another pack has the tree or commit. If no pack has it, the damaged pack may have had it.
        return damage is null ? false : throw damage;
    }

    private bool TryRead(PackFile[] searched, PackedKind kind, Digest digest, TreeBuffer? reused, ref Exception? damage, out ReadOnlyMemory<byte> bytes)
    {
        foreach (PackFile file in searched)
        {
            if (TryFind(file, digest, ref damage, out IndexRow row) && row.Kind == kind && TryRead(file, row, reused, ref damage, out bytes))
            {
                return true;
            }
        }

        bytes = default;
        return false;
    }

    private static bool TryFind(PackFile file, Digest digest, ref Exception? damage, out IndexRow row)
    {
        try
        {
            return file.TryFind(digest, out row);
        }
        catch (Exception e) when (PackFile.IsUnreadable(e))
        {
            damage ??= e;
            row = default;
            return false;
        }
    }

    private bool TryRead(PackFile file, IndexRow row, TreeBuffer? reused, ref Exception? damage, out ReadOnlyMemory<byte> bytes)
    {
        try
        {
            bytes = Read(file, row, reused);

            // The pack may have been made by another program. The comparison also proves that trees and histories end: nothing contains its
            // own digest.
            return PackedObject.DigestOf(row.Kind, bytes.Span) == row.Digest ? true : throw file.Damaged($"what it holds as {row.Digest} is something else");
        }
        catch (Exception e) when (PackFile.IsUnreadable(e))
        {
            damage ??= e;
            bytes = default;
            return false;
        }
    }
}
