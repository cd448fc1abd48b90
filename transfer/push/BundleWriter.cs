using System.Security.Cryptography;
using HackTree.Model;
using HackTree.Store;
using ZstdSharp;

namespace HackTree.Transfer;

/// <summary>A bundle that was made, in a file without a name.</summary>
/// <param name="File">The file, at its beginning.</param>
/// <param name="Name">The bundle's digest and length.</param>
/// <param name="Frames">Its frames, with 0 as the bundle's number.</param>
internal sealed record MadeBundle(FileStream File, BundleName Name, IReadOnlyList<Frame> Frames) : IDisposable
{
    public void Dispose() => File.Dispose();
}

/// <summary>Makes bundles: compresses the blobs of each frame. Not thread-safe.</summary>
internal sealed class BundleWriter(ObjectStore store, Digest commit) : IDisposable
{
    // zstd's level. A bundle is made once and fetched often.
    private const int Level = 9;

    // A blob up to this length is compressed in memory.
    private const int InMemory = 8 * 1024 * 1024;

    private readonly Compressor compressor = new(Level);
    private byte[] raw = [];
    private byte[] stored = [];

    /// <summary>Makes a bundle. Throws <see cref="CorruptException"/> if an object of the store is damaged.</summary>
    internal MadeBundle Make(List<List<SentBlob>> frames)
    {
        FileStream file = ScratchFile.Open(store);
        try
        {
            var made = new List<Frame>(frames.Count);
            foreach (List<SentBlob> frame in frames)
            {
                store.Stop.ThrowIfCancellationRequested();
                long offset = file.Position, length = frame.Sum(blob => blob.Size);
                if (frame.Count == 1 && length > InMemory)
                {
                    WriteLong(frame[0], file);
                }
                else
                {
                    Write(frame, (int)length, file);
                }

                made.Add(new Frame(0, offset, file.Position - offset, length));
            }

            file.Position = 0;
            var name = new BundleName(new Digest(SHA256.HashData(file)), file.Position);
            file.Position = 0;
            return new MadeBundle(file, name, made);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => compressor.Dispose();

    private void Write(List<SentBlob> frame, int length, FileStream file)
    {
        raw = raw.Length < length ? GC.AllocateUninitializedArray<byte>(length) : raw;
        int filled = 0;
        foreach (SentBlob blob in frame)
        {
            store.Blobs.Read(blob.Entry, PlaceOf(blob), piece =>
            {
                piece.CopyTo(raw.AsSpan(filled));
                filled += piece.Length;
            });
        }

        int bound = Compressor.GetCompressBound(length);
        stored = stored.Length < bound ? GC.AllocateUninitializedArray<byte>(bound) : stored;
        int count = compressor.Wrap(raw.AsSpan(0, length), stored);
        file.Write(stored, 0, count);
    }

    /// <summary>Writes a blob that is too long for memory.</summary>
    private void WriteLong(SentBlob blob, FileStream file)
    {
        using var compressed = new CompressionStream(file, Level, leaveOpen: true);
        store.Blobs.Read(blob.Entry, PlaceOf(blob), piece => compressed.Write(piece));
    }

    private CommitFile PlaceOf(SentBlob blob) => new(commit, () => ByteText.Quote(blob.Path));
}
