using System.Buffers;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using K4os.Compression.LZ4;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Writes trees and commits to one new pack. The file has no name until it is whole, so a killed process leaves nothing. Thread-safe. It
/// uses the memory of one block and about 110 bytes for each object.
/// </summary>
/// <remarks>
/// A pack is gathered, then completed, then named. Each step is done once, in this order. <see cref="Additions"/> and
/// <see cref="ScratchPack"/> say when a pack is made. <see cref="Additions"/> says when it gets its name.
/// </remarks>
public sealed class PackWriter : IDisposable
{
    private const string Suffix = ".pack";

    private enum Stage
    {
        Gathering,
        Complete,
        Named,
    }

    private readonly Lock gate = new();
    private readonly SafeFileHandle file;
    private readonly SafeFileHandle temporary;
    private readonly string subject;
    private readonly ArrayBufferWriter<byte> block = new(PackLayout.BlockTarget * 2);
    private readonly List<BlockRow> blocks = [];
    private readonly Dictionary<Digest, IndexRow> objects = [];
    private readonly IncrementalHash name = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private Stage stage;
    private long written;

    /// <summary>Starts a pack in a directory. The caller keeps the directory open until the pack has its name.</summary>
    internal PackWriter(SafeFileHandle temporary, string subject)
    {
        this.temporary = temporary;
        this.subject = subject;
        Sys.Open(temporary, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out file, FileModes.ReadOnlyFile).ThrowIfFailed("openat", subject);
        try
        {
            Span<byte> header = stackalloc byte[PackLayout.HeaderSize];
            header.Clear();
            PackLayout.HeaderMagic.CopyTo(header);
            Append(header);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The number of trees and commits that were added.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return objects.Count;
            }
        }
    }

    /// <summary>The number of bytes that were written to the file so far.</summary>
    public long Length => Interlocked.Read(ref written);

    /// <summary>Whether a tree or commit was added.</summary>
    public bool Contains(Digest digest)
    {
        lock (gate)
        {
            return objects.ContainsKey(digest);
        }
    }

    /// <summary>
    /// Adds a tree or commit unless it was added before. Returns whether it was new. The digest must be the digest of the bytes.
    /// </summary>
    public bool Add(PackedKind kind, Digest digest, ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            Step.Require(stage == Stage.Gathering, "a complete pack takes no more objects");
            if (objects.ContainsKey(digest))
            {
                return false;
            }

            if (block.WrittenCount > 0 && block.WrittenCount + bytes.Length > PackLayout.BlockTarget)
            {
                FlushBlock();
            }

            objects.Add(digest, new IndexRow(digest, blocks.Count, block.WrittenCount, bytes.Length, kind));
            block.Write(bytes);
            return true;
        }
    }

    /// <summary>Adds a commit and returns its digest.</summary>
    public Digest Add(Commit commit)
    {
        byte[] bytes = commit.Encode();
        var digest = Commit.DigestOf(bytes);
        Add(PackedKind.Commit, digest, bytes);
        return digest;
    }

    /// <summary>
    /// Gives the complete pack its name in <paramref name="packs"/>. Its content must be durable already. Otherwise a power cut could leave
    /// a name with half a pack, and every look-up that reads it would fail.
    /// </summary>
    internal void GiveName(SafeFileHandle packs, Digest digest)
    {
        Move(Stage.Complete, Stage.Named);
        Errno errno = Sys.LinkOpenFile(file, packs, FileName(digest));
        if (errno == Errno.EEXIST)
        {
            // The file that has the name may be damaged: gc writes a damaged pack anew, from good copies of its trees and commits.
            Replace(packs, digest, syncFirst: false);
            return;
        }

        errno.ThrowIfFailed("linkat", PathOf(digest));
    }

    /// <summary>Makes the complete pack durable by fsync(2), and gives it its name in <paramref name="packs"/>.</summary>
    internal void SyncAndGiveName(SafeFileHandle packs, Digest digest)
    {
        Move(Stage.Complete, Stage.Named);
        Replace(packs, digest, syncFirst: true);
    }

    private void Replace(SafeFileHandle packs, Digest digest, bool syncFirst)
    {
        byte[] temporaryName = TemporaryName.New();
        Sys.LinkOpenFile(file, temporary, temporaryName).ThrowIfFailed("linkat", PathOf(digest));
        if (syncFirst)
        {
            // The file has a name before the sync. If a file has no name, btrfs syncs its content, but not the metadata that finds the
            // content.
            Sys.Sync(file).ThrowIfFailed("fsync", PathOf(digest));
        }

        Sys.Rename(temporary, temporaryName, packs, FileName(digest)).ThrowIfFailed("renameat2", PathOf(digest));
    }

    /// <summary>
    /// Completes the pack and opens it for reading, without a name. The pack is gone when the result is disposed of. Nothing can be added
    /// any more.
    /// </summary>
    internal (SafeFileHandle File, Digest Name, string Subject) OpenUnnamed()
    {
        Digest digest = Complete();
        Sys.Open(Sys.WorkingDirectory, Encoding.ASCII.GetBytes($"/proc/self/fd/{file.DangerousGetHandle()}"), OpenFlags.ReadOnly, out SafeFileHandle again)
            .ThrowIfFailed("openat", subject);
        return (again, digest, $"{subject}/(unnamed)");
    }

    /// <summary>Closes the file. A pack without a name is gone.</summary>
    public void Dispose()
    {
        file.Dispose();
        name.Dispose();
    }

    internal static byte[] FileName(Digest digest) => Encoding.ASCII.GetBytes($"{digest}{Suffix}");

    /// <summary>The pack that a file in packs/ is; false if the file's name is no pack's.</summary>
    internal static bool TryParseFileName(ReadOnlySpan<byte> name, out Digest digest)
    {
        string text = Encoding.Latin1.GetString(name);
        digest = default;
        return text.EndsWith(Suffix, StringComparison.Ordinal) && Digest.TryParse(text.AsSpan(0, text.Length - Suffix.Length), out digest);
    }

    /// <summary>Writes the rest of the pack, and returns the digest that will be its name. Nothing can be added any more.</summary>
    internal Digest Complete()
    {
        lock (gate)
        {
            Move(Stage.Gathering, Stage.Complete);
            if (block.WrittenCount > 0)
            {
                FlushBlock();
            }

            long tableOffset = written;
            byte[] rows = new byte[(blocks.Count * PackLayout.BlockRowSize) + (objects.Count * PackLayout.IndexRowSize)];
            Span<byte> rest = rows;
            foreach (BlockRow row in blocks)
            {
                row.Write(rest);
                rest = rest[PackLayout.BlockRowSize..];
            }

            IndexRow[] sorted = [.. objects.Values];
            Array.Sort(sorted, (x, y) => x.Digest.CompareTo(y.Digest));
            foreach (IndexRow row in sorted)
            {
                row.Write(rest);
                rest = rest[PackLayout.IndexRowSize..];
            }

            Append(rows);
            long indexOffset = tableOffset + (blocks.Count * PackLayout.BlockRowSize);
            Span<byte> footer = stackalloc byte[PackLayout.FooterSize];
            new PackFooter(blocks.Count, objects.Count, tableOffset, indexOffset, XxHash3.HashToUInt64(rows)).Write(footer);
            Append(footer);
            Span<byte> digest = stackalloc byte[Digest.Size];
            name.GetHashAndReset(digest);
            return new Digest(digest);
        }
    }

    private void Move(Stage from, Stage to)
    {
        lock (gate)
        {
            Step.Require(stage == from, "a pack is gathered, then complete, then named, each once");
            stage = to;
        }
    }

    private string PathOf(Digest digest) => $"{subject}/{digest}{Suffix}";

    private void FlushBlock()
    {
        ReadOnlySpan<byte> raw = block.WrittenSpan;
        byte[] rented = ArrayPool<byte>.Shared.Rent(LZ4Codec.MaximumOutputSize(raw.Length));
        try
        {
            int length = LZ4Codec.Encode(raw, rented);
            bool isShorter = length > 0 && length < raw.Length && (long)length * PackLayout.MaxRatio >= raw.Length;
            ReadOnlySpan<byte> stored = isShorter ? rented.AsSpan(0, length) : raw;
            blocks.Add(new BlockRow(written, stored.Length, raw.Length, XxHash3.HashToUInt64(stored)));
            Append(stored);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        block.ResetWrittenCount();
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        Sys.WriteAt(file, bytes, written).ThrowIfFailed("pwrite", subject);
        name.AppendData(bytes);
        Interlocked.Add(ref written, bytes.Length);
    }
}
