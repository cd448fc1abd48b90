using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>A file that may have the content of a blob.</summary>
/// <param name="Blob">The blob.</param>
/// <param name="Place">The file in words, for messages.</param>
/// <param name="Open">Opens the file for reading, without following a link; null if there is no such file.</param>
/// <param name="IsRead">Whether the file was read, and had the content.</param>
public readonly record struct CopyCandidate(Digest Blob, string Place, Func<SafeFileHandle?> Open, bool IsRead = false);

/// <summary>A source that has blobs as files. The class that derives from it says which files may have which content.</summary>
public abstract class FileCopies(CancellationToken stop) : IRepairSource
{
    private readonly Dictionary<Digest, CopyCandidate> found = [];

    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public virtual void AttachPacks(ObjectStore store)
    {
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<Digest, string> Find(IReadOnlyCollection<LackingBlob> wanted)
    {
        found.Clear();
        var sizes = wanted.ToDictionary(blob => blob.Digest, blob => blob.Size);
        try
        {
            foreach (CopyCandidate candidate in Candidates(sizes))
            {
                stop.ThrowIfCancellationRequested();
                if (!found.ContainsKey(candidate.Blob) && (candidate.IsRead || HasContent(candidate, sizes[candidate.Blob])))
                {
                    found.Add(candidate.Blob, candidate);
                }
            }
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            // What was found before stays.
        }

        return found.ToDictionary(each => each.Key, each => each.Value.Place);
    }

    /// <inheritdoc/>
    public void Add(Additions additions, IReadOnlyCollection<LackingBlob> blobs, Action<LackingBlob, Exception> onFailure)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(Blobs.BufferSize);
        foreach (LackingBlob blob in blobs)
        {
            stop.ThrowIfCancellationRequested();
            try
            {
                Add(additions, blob, found[blob.Digest], buffer);
            }
            catch (Exception e) when (CheckReport.IsFinding(e))
            {
                onFailure(blob, e);
            }
        }
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>The files that may have the content of one of the blobs, which are given with their sizes. A file may have other content.</summary>
    protected abstract IEnumerable<CopyCandidate> Candidates(IReadOnlyDictionary<Digest, long> wanted);

    private bool HasContent(in CopyCandidate candidate, long size)
    {
        try
        {
            using SafeFileHandle? file = candidate.Open();
            return file is not null
                && Sys.Stat(file, out FileStatus status) == Errno.None
                && status.Type == FileType.Regular
                && status.Size == size
                && Blobs.HashFile(file, status, candidate.Place, stop) == candidate.Blob;
        }
        catch (Exception e) when (CheckReport.IsFinding(e))
        {
            return false;
        }
    }

    private void Add(Additions additions, LackingBlob blob, in CopyCandidate copy, byte[] buffer)
    {
        string subject = $"{Name} ({copy.Place})";
        foreach (LackingObject lacking in blob.Objects)
        {
            using SafeFileHandle file = copy.Open() ?? throw new StoreException($"{subject}: it is gone");
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            if (status.Type != FileType.Regular
                || additions.AddFile(file, status, lacking.Metadata, lacking.Xattrs, buffer, subject, blob.Digest) != blob.Digest)
            {
                throw new StoreException($"{subject}: it changed meanwhile");
            }
        }
    }
}
