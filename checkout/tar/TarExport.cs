using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>Writes a commit's tree as a tar stream. One commit always makes the same bytes.</summary>
public static class TarExport
{
    private const int ChunkSize = 256 * 1024;

    /// <summary>Writes the whole tree of <paramref name="commit"/>, including owners and devices.</summary>
    public static void Run(ObjectStore store, Commit commit, Stream output, Progress? progress)
    {
        var writer = new TarWriter(output);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(ChunkSize);
        TreeWalk.TryFind(store.Packs, commit, default, out TreeEntry root);
        writer.Add(default, root);
        TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            writer.Add(path.Bytes, entry);
            if (entry.Kind == EntryKind.Regular)
            {
                WriteContent(store, writer, entry, buffer);
            }

            if (!entry.IsDirectory)
            {
                progress?.Add(entry.Size);
            }

            return true;
        });
        writer.Finish();
    }

    private static void WriteContent(ObjectStore store, TarWriter writer, in TreeEntry entry, byte[] buffer)
    {
        ObjectName name = store.Blobs.NameOf(entry);
        using SafeFileHandle file = store.Blobs.Open(name);
        for (long offset = 0; offset < entry.Size;)
        {
            store.Stop.ThrowIfCancellationRequested();
            Span<byte> chunk = buffer.AsSpan(0, (int)Math.Min(buffer.Length, entry.Size - offset));
            Sys.ReadAt(file, chunk, offset, out int count).ThrowIfFailed("pread", $"{store.Path}/files/{name}");
            if (count != chunk.Length)
            {
                throw new CorruptException($"files/{name}", "the object is shorter than the commit says", new Remedy.CheckStore());
            }

            writer.WriteContent(chunk);
            offset += count;
        }
    }
}
