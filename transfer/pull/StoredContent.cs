using System.Buffers;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Transfer;

/// <summary>
/// The blobs of a commit that a store has, from which objects are made. In the store that pulls, a file of which only the metadata changed is made so, and not
/// fetched.
/// </summary>
internal sealed class StoredContent
{
    private readonly ObjectStore store;
    private readonly Digest commit;
    private readonly Dictionary<Digest, SentBlob> blobs;

    /// <summary>Goes through a commit; none, or one that is not whole, has no blobs.</summary>
    internal StoredContent(ObjectStore store, Digest commit)
    {
        (this.store, this.commit) = (store, commit);
        try
        {
            blobs = commit.IsNone ? [] : SentContent.Of(store, commit).Blobs.ToDictionary(blob => blob.Digest);
        }
        catch (CorruptException)
        {
            blobs = [];
        }
    }

    /// <summary>Whether the commit has a blob.</summary>
    internal bool Has(Digest blob) => blobs.ContainsKey(blob);

    /// <summary>
    /// The content of a blob of so many bytes; null if the commit has none such. Throws <see cref="CorruptException"/> if its object is damaged.
    /// </summary>
    internal byte[]? TryRead(Digest blob, long length) =>
        blobs.TryGetValue(blob, out SentBlob? found) && found.Size == length ? store.Blobs.ReadAll(found.Entry, PlaceOf(found)) : null;

    /// <summary>
    /// Makes the lacking objects of blobs that the commit has, and takes them out of <paramref name="lacking"/>. Where an object is damaged, it stays there.
    /// </summary>
    internal void Add(Additions additions, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
    {
        List<LackingBlob> known = [.. lacking.Values.Where(blob => Has(blob.Digest))];
        bool[] added = ParallelMap.Run(known, blob => TryAddWhole(additions, blob), store.Stop);
        foreach ((LackingBlob blob, bool isAdded) in known.Zip(added))
        {
            if (isAdded)
            {
                lacking.Remove(blob.Digest);
                progress?.Add(blob.Size);
            }
        }
    }

    /// <summary>False for a damaged object: its blob is fetched.</summary>
    private bool TryAddWhole(Additions additions, LackingBlob blob)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Blobs.BufferSize);
        try
        {
            return TryAdd(additions, blob, buffer);
        }
        catch (CorruptException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private bool TryAdd(Additions additions, LackingBlob blob, byte[] buffer)
    {
        SentBlob old = blobs[blob.Digest];
        string path = ByteText.Quote(blob.Path);
        using SafeFileHandle file = store.Blobs.Open(old.Entry, PlaceOf(old), out FileStatus status);
        foreach (LackingObject made in blob.Objects)
        {
            Digest digest;
            try
            {
                digest = additions.AddFile(file, status, made.Metadata, made.Xattrs, buffer, path, blob.Digest);
            }
            catch (UnheldException e)
            {
                throw new UnheldException(path, e.Unheld, isCommit: false);
            }

            if (digest != blob.Digest)
            {
                return false;
            }
        }

        return true;
    }

    private CommitFile PlaceOf(SentBlob blob) => new(commit, () => ByteText.Quote(blob.Path));
}
