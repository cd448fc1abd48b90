using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// The files in an archive as copies. The archive is read once to find them, and once more to add them. Only files with the size of a wanted blob
/// are compared.
/// </summary>
/// <param name="path">The archive, for messages.</param>
/// <param name="open">Opens the archive at its beginning; it may be compressed.</param>
/// <param name="stop">The caller's request to stop.</param>
public sealed class TarCopies(string path, Func<Stream> open, CancellationToken stop) : IRepairSource
{
    // The number of the entry in the archive that has the blob.
    private readonly Dictionary<long, Digest> found = [];

    /// <inheritdoc/>
    public string Name => $"the archive {path}";

    /// <summary>Finds blobs as <see cref="IRepairSource"/> says. Throws <see cref="StoreException"/> if the file is no archive, or damaged.</summary>
    public IReadOnlyDictionary<Digest, string> Find(IReadOnlyCollection<LackingBlob> wanted)
    {
        found.Clear();
        var places = new Dictionary<Digest, string>();
        HashSet<long> sizes = [.. wanted.Select(blob => blob.Size)];
        HashSet<Digest> digests = [.. wanted.Select(blob => blob.Digest)];
        Read((number, reader) =>
        {
            if (sizes.Contains(reader.Size))
            {
                string place = TarException.Show(reader.Path);
                Digest digest = Blobs.HashStream(piece => Fill(reader, piece), reader.Size, stop);
                if (digests.Contains(digest) && places.TryAdd(digest, place))
                {
                    found.Add(number, digest);
                }
            }
        });
        return places;
    }

    /// <inheritdoc/>
    public void Add(Additions additions, IReadOnlyCollection<LackingBlob> blobs, Action<LackingBlob, Exception> onFailure)
    {
        var wanted = blobs.ToDictionary(blob => blob.Digest);
        Read((number, reader) =>
        {
            if (!found.TryGetValue(number, out Digest digest) || !wanted.TryGetValue(digest, out LackingBlob? blob))
            {
                return;
            }

            try
            {
                LackingObject first = blob.Objects[0];
                if (additions.AddStream(piece => Fill(reader, piece), blob.Size, first.Metadata, first.Xattrs, digest, reader.IsSparse) != digest)
                {
                    throw new StoreException($"{Name}: it changed meanwhile");
                }

                blob.AddOthers(additions);
            }
            catch (StoreException e)
            {
                onFailure(blob, e);
            }
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    /// <summary>Gives each file with content, and its number in the archive.</summary>
    private void Read(Action<long, TarReader> onFile)
    {
        try
        {
            using Stream archive = TarPacking.Open(open());
            var reader = new TarReader(archive);
            for (long number = 0; reader.Next(); number++)
            {
                stop.ThrowIfCancellationRequested();
                if (reader.Kind == EntryKind.Regular && !reader.IsHardLink)
                {
                    onFile(number, reader);
                }
            }
        }
        catch (TarException e)
        {
            throw new StoreException($"{path}: {e.Message}", e.Remedy);
        }
    }

    private static void Fill(TarReader reader, Span<byte> piece)
    {
        while (!piece.IsEmpty)
        {
            int count = reader.ReadContent(piece);
            piece = count > 0 ? piece[count..] : throw reader.Fault("its content is shorter than its header says");
        }
    }
}
