using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// What one writing command adds to a store: objects, trees, and a commit that a ref will name. Nothing else gets a pack writer, gives an object
/// its name, or publishes a commit. Adding is thread-safe; publishing is one call, when every thread has finished adding.
/// </summary>
/// <remarks>
/// <para>The steps, and what a power cut after each of them leaves:</para>
/// <list type="number">
/// <item>Objects get their names in files/, and trees go to a pack without a name. Left: objects in doubt (<see cref="DoubtMark"/>), no pack.</item>
/// <item>The pack is completed, and one syncfs(2) makes the pack's content and all objects durable. Left: objects that gc removes.</item>
/// <item>The pack gets its name, and packs/ is synced. Left: a whole commit without a ref, which gc removes.</item>
/// <item><see cref="PublishedCommit.SetRef"/> takes the refs' turn and sets the ref. Left: what was asked for.</item>
/// </list>
/// <para>
/// So every commit that can be read is whole, and every ref names such a commit. Steps 2 and 3 are <see cref="Publish"/>, and step 4 is a method of
/// what step 3 answers: the order cannot be another one.
/// </para>
/// </remarks>
public sealed class Additions : IDisposable
{
    private bool isPublished;

    /// <summary>Begins to add. Throws <see cref="StoreException"/> where this process may not write to the store.</summary>
    public Additions(ObjectStore store)
    {
        store.RequireWritable();
        Store = store;
        Pack = store.Packs.NewPack();
    }

    /// <summary>The store that is added to.</summary>
    public ObjectStore Store { get; }

    /// <summary>The trees and commits that will be published.</summary>
    public PackWriter Pack { get; }

    /// <summary>
    /// Stores a file unless the store has it: reads it once, and writes it only if it is new. Answers the blob's digest.
    /// </summary>
    /// <param name="source">The file, open for reading.</param>
    /// <param name="status">What it was when it was opened; a file that differs after the reading is refused.</param>
    /// <param name="metadata">What the tree records for it.</param>
    /// <param name="xattrs">The attributes the tree records for it, canonical.</param>
    /// <param name="buffer">Scratch space of <see cref="Blobs.BufferSize"/> bytes.</param>
    /// <param name="subject">The file's name in messages.</param>
    /// <param name="expected">The blob that it must be, where that is known: a file with other content is not stored, as the answer tells.</param>
    public Digest AddFile(
        SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject, Digest expected = default)
    {
        RequireAdding();
        return Store.Blobs.AddFile(source, status, metadata, xattrs, buffer, subject, expected);
    }

    /// <summary>
    /// Makes a file an object as it is. Copies the file, as <see cref="AddFile"/> does, if a process has it open for writing, if it has another name,
    /// or if it changed since it was read. Answers the blob's digest. The parameters after <paramref name="adoption"/>,
    /// the right to adopt files of the tree, are those of <see cref="AddFile"/>.
    /// </summary>
    public Digest AdoptFile(
        Adoption adoption, SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject)
    {
        RequireAdding();
        return adoption.AddFile(source, status, metadata, xattrs, buffer, subject);
    }

    /// <summary>Stores content that is in memory, unless the store has it. Answers the blob's digest.</summary>
    public Digest AddBytes(ReadOnlySpan<byte> content, FileMetadata metadata, ReadOnlySpan<byte> xattrs)
    {
        RequireAdding();
        return Store.Blobs.AddBytes(content, metadata, xattrs);
    }

    /// <summary>
    /// Stores content of a known size that comes piece by piece, as from an archive. <paramref name="read"/> fills a span
    /// from its start, whole but for the end of the content. Answers the blob's digest; where that is not <paramref name="expected"/>, nothing was stored.
    /// </summary>
    public Digest AddStream(ContentReader read, long size, FileMetadata metadata, ReadOnlySpan<byte> xattrs, Digest expected = default)
    {
        RequireAdding();
        return Store.Blobs.AddStream(read, size, metadata, xattrs, expected);
    }

    /// <summary>
    /// Makes durable all that was added, by one syncfs(2), and then gives the pack its name, durably too. Answers that name's digest; none for a
    /// pack that nothing was added to. Nothing can be added any more.
    /// </summary>
    public Digest Publish()
    {
        Step.Require(!isPublished, "additions are published once");
        isPublished = true;
        Digest name = Pack.Count == 0 ? default : Pack.Complete();
        Store.Sync();
        if (!name.IsNone)
        {
            Store.Packs.Add(Pack, name);
        }

        return name;
    }

    /// <summary>Publishes with a commit that stays as it is. The ref is still to be set.</summary>
    public PublishedCommit PublishCommit(string refName, Commit commit) => PublishCommit(refName, commit, isChild: false);

    /// <summary>Publishes with a commit whose parent is the commit that the ref names when it is set; at first, the one that it names now.</summary>
    public PublishedCommit PublishChild(string refName, Commit commit) => PublishCommit(refName, commit.AsChildOf(Store.Refs.Find(refName)), isChild: true);

    /// <summary>Closes the pack; one that was not published is gone. Objects stay, for gc.</summary>
    public void Dispose() => Pack.Dispose();

    private PublishedCommit PublishCommit(string refName, Commit commit, bool isChild)
    {
        DurableCommit durable = new(Pack.Add(commit));
        Publish();
        return new PublishedCommit(Store, refName, commit, durable, isChild);
    }

    private void RequireAdding() => Step.Require(!isPublished, "nothing can be added to what is published");
}
