using HackTree.Model;

namespace HackTree.Store;

/// <summary>The source of empty files, which need no copy.</summary>
internal sealed class EmptyContent : IRepairSource
{
    private static readonly Digest Empty = Verity.Compute([]);

    /// <inheritdoc/>
    public string Name => "nothing";

    /// <inheritdoc/>
    public IReadOnlyDictionary<Digest, string> Find(IReadOnlyCollection<LackingBlob> wanted) =>
        wanted.Where(blob => blob.Digest == Empty).ToDictionary(blob => blob.Digest, _ => "it is empty");

    /// <inheritdoc/>
    public void Add(Additions additions, IReadOnlyCollection<LackingBlob> blobs, Action<LackingBlob, Exception> onFailure)
    {
        foreach (LackingBlob blob in blobs)
        {
            try
            {
                blob.Objects.ForEach(lacking => additions.AddBytes([], lacking.Metadata, lacking.Xattrs));
            }
            catch (Exception e) when (CheckReport.IsFinding(e))
            {
                onFailure(blob, e);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
