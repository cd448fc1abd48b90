using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// A place that may have good copies of what a store lost. Each kind of place is one class, and all pass RepairSourceTests. Nothing that comes
/// from a source is trusted: it is compared with its digest before it gets a name in the store.
/// </summary>
public interface IRepairSource : IDisposable
{
    /// <summary>The place in words: "the root r1".</summary>
    string Name { get; }

    /// <summary>Lets the store read the trees and commits that are here, until the store is closed. A place that cannot be read has none.</summary>
    void AttachPacks(ObjectStore store)
    {
    }

    /// <summary>
    /// Finds which of the blobs are here. The result has each blob that was found, and where, in words: "usr/bin/ls". A place that cannot be
    /// read has nothing.
    /// </summary>
    IReadOnlyDictionary<Digest, string> Find(IReadOnlyCollection<LackingBlob> wanted);

    /// <summary>
    /// Adds the objects of blobs that <see cref="Find"/> found. <paramref name="onFailure"/> gets a blob that could not be added after all, and why.
    /// </summary>
    void Add(Additions additions, IReadOnlyCollection<LackingBlob> blobs, Action<LackingBlob, Exception> onFailure);
}
