using System.IO.Compression;
using System.Security.Cryptography;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using ZstdSharp;

namespace HackTree.Transfer;

/// <summary>How the layers of an image are compressed.</summary>
public enum LayerPacking
{
    /// <summary>gzip, which every program reads.</summary>
    Gzip,
    /// <summary>zstd, which podman, and docker from 23 on, read; smaller and faster.</summary>
    Zstd,
}

/// <summary>A layer that was made, in a file without a name.</summary>
/// <param name="File">The file, at its beginning.</param>
/// <param name="Blob">What it is as a blob.</param>
/// <param name="DiffId">The SHA-256 of the archive before compression.</param>
internal sealed record MadeLayer(FileStream File, Descriptor Blob, Digest DiffId) : IDisposable
{
    private const int BufferSize = 256 * 1024;
    private const int ZstdLevel = 6;

    public void Dispose() => File.Dispose();

    /// <summary>Makes a layer. Throws <see cref="CorruptException"/> if an object of the store is damaged.</summary>
    internal static MadeLayer Make(ObjectStore store, LayerPlan.Cut cut, LayerPacking packing, Progress? progress)
    {
        FileStream file = ScratchFile.Open(store);
        try
        {
            using var hash = SHA256.Create();
            var buffered = new BufferedStream(file, BufferSize);
            using (Stream packed = Pack(packing, buffered))
            using (var hashed = new CryptoStream(packed, hash, CryptoStreamMode.Write))
            using (var output = new BufferedStream(hashed, BufferSize))
            {
                LayerWriter.Run(store, cut.Below, cut.Commit, output, progress);
            }

            buffered.Flush();
            file.Position = 0;
            var digest = new Digest(SHA256.HashData(file));
            file.Position = 0;
            string type = packing == LayerPacking.Zstd ? ImageType.ZstdLayer : ImageType.GzipLayer;
            return new MadeLayer(file, new Descriptor(type, digest, file.Length), new Digest(hash.Hash!));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static Stream Pack(LayerPacking packing, Stream output) => packing == LayerPacking.Zstd
        ? new CompressionStream(output, ZstdLevel, leaveOpen: true)
        : new GZipStream(output, CompressionLevel.Optimal, leaveOpen: true);
}
