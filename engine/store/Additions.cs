using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Adds the objects and trees of one writing command to a store, and publishes its commit. Every command that adds objects, trees or commits
/// does so through this class. Adding is thread-safe. Publishing is one call, after every thread has finished adding.
/// </summary>
/// <remarks>
/// <para>The steps, and what a power cut after each step leaves:</para>
/// <list type="number">
/// <item>Objects get their names in files/, and trees go to a pack without a name. Left: objects in doubt (<see cref="DoubtMark"/>), no pack.</item>
/// <item>The pack is completed, and one syncfs(2) makes the pack's content and all objects durable. Left: objects that gc removes.</item>
/// <item>The pack gets its name, and packs/ is synced. Left: a whole commit without a ref, which gc removes.</item>
/// <item><see cref="PublishedCommit.SetRef"/> takes the refs' turn and sets the ref. Left: the finished commit with its ref.</item>
/// </list>
/// <para>
/// So every commit that can be read is whole, and every ref names a whole commit. <see cref="Publish"/> does steps 2 and 3. Step 4 is a
/// method of the <see cref="PublishedCommit"/> that step 3 returns, so no other order is possible.
/// </para>
/// </remarks>
public sealed class Additions : IDisposable
{
    private bool isPublished;

    /// <summary>Begins to add. Throws <see cref="StoreException"/> if this process may not write to the store.</summary>
    public Additions(ObjectStore store)
    {
        store.RequireWritable();
        Store = store;
        Trials = new MetadataTrials(store);
        Pack = store.Packs.NewPack();
    }

    /// <summary>The store that is added to.</summary>
    public ObjectStore Store { get; }

    /// <summary>Tells whether a checkout can restore the metadata of entries that are no files.</summary>
    public MetadataTrials Trials { get; }

    /// <summary>The trees and commits that will be published.</summary>
    public PackWriter Pack { get; }

    /// <summary>
    /// Stores a file unless the store has it, and returns the blob's digest. The file is read once. It is written only if it is new. This
    /// and the other methods that add a file throw <see cref="UnheldException"/> if the store's filesystem does not hold its metadata.
    /// </summary>
    /// <param name="source">The file, open for reading.</param>
    /// <param name="status">The file's status when it was opened. The call throws if size or time are different after the reading.</param>
    /// <param name="metadata">The metadata that the tree records for the file.</param>
    /// <param name="xattrs">The attributes that the tree records for the file, canonical.</param>
    /// <param name="buffer">Scratch space of <see cref="Blobs.BufferSize"/> bytes.</param>
    /// <param name="subject">The file's name in messages.</param>
    /// <param name="expected">The digest that the content must have, if it is known. Other content is not stored; the result is its
    /// digest.</param>
    public Digest AddFile(
        SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject, Digest expected = default)
    {
        RequireAdding();
        return Store.Blobs.AddFile(source, status, metadata, xattrs, buffer, subject, expected);
    }

    /// <summary>Adds a tree unless a pack of the store has it, and returns its digest.</summary>
    public Digest AddTree(Tree tree)
    {
        Digest digest = Tree.DigestOf(tree.Bytes);
        AddTree(digest, tree);
        return digest;
    }

    /// <summary>Adds a tree of which the digest is known, unless a pack of the store has it.</summary>
    public void AddTree(Digest digest, Tree tree)
    {
        if (!Store.Packs.Contains(digest))
        {
            Pack.Add(PackedKind.Tree, digest, tree.Bytes);
        }
    }

    /// <summary>
    /// Makes a file an object as it is, and returns the blob's digest. The file is copied instead, as <see cref="AddFile"/> does, if a
    /// process has it open for writing, if it has a second name, or if it changed since it was read. <paramref name="adoption"/> is the
    /// right to adopt files of the tree. <see cref="AddFile"/> says what the other parameters mean.
    /// </summary>
    public Digest AdoptFile(
        Adoption adoption, SafeFileHandle source, in FileStatus status, FileMetadata metadata, ReadOnlySpan<byte> xattrs, byte[] buffer, object subject)
    {
        RequireAdding();
        return adoption.AddFile(source, status, metadata, xattrs, buffer, subject);
    }

    /// <summary>
    /// Stores content that is in memory, unless the store has it. Returns the blob's digest. If <paramref name="expected"/> is given and is
    /// another digest, nothing was stored.
    /// </summary>
    public Digest AddBytes(ReadOnlySpan<byte> content, FileMetadata metadata, ReadOnlySpan<byte> xattrs, bool leaveHoles = false, Digest expected = default)
    {
        RequireAdding();
        return Store.Blobs.AddBytes(content, metadata, xattrs, leaveHoles, expected);
    }

    /// <summary>
    /// Stores content of a known size that comes in pieces, such as a file of an archive. <paramref name="read"/> fills each span that it
    /// gets with the next bytes. Returns the blob's digest. If <paramref name="expected"/> is given and is another digest, nothing was
    /// stored. With <paramref name="leaveHoles"/> blocks of zeros are not written.
    /// </summary>
    public Digest AddStream(
        ContentReader read, long size, FileMetadata metadata, ReadOnlySpan<byte> xattrs, Digest expected = default, bool leaveHoles = false)
    {
        RequireAdding();
        return Store.Blobs.AddStream(read, size, metadata, xattrs, leaveHoles, expected);
    }

    /// <summary>Makes an unnamed file in tmp/, for bytes that are needed until the command ends. It is gone when it is closed.</summary>
    public SafeFileHandle OpenScratch() => Store.Blobs.OpenScratch();

    /// <summary>
    /// Makes everything that was added durable by one syncfs(2), and then gives the pack its name, also durably. Returns the name's digest,
    /// or none if the pack is empty. After this call nothing can be added.
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

    /// <summary>Publishes a commit that no ref names, and returns its digest. The next gc removes it, unless something holds it by then.</summary>
    public Digest PublishAlone(Commit commit)
    {
        Digest digest = Pack.Add(commit);
        Publish();
        PackMerge.RunIfMany(Store);
        return digest;
    }

    /// <summary>Publishes a commit whose parents do not change. The caller then sets the ref.</summary>
    public PublishedCommit PublishCommit(string refName, Commit commit) => PublishCommit(refName, commit, isChild: false);

    /// <summary>
    /// Publishes a commit as the child of the commit that the ref names. If the ref names another commit by the time it is set, the parent
    /// is changed to that commit.
    /// </summary>
    public PublishedCommit PublishChild(string refName, Commit commit) => PublishCommit(refName, commit.AsChildOf(Store.Refs.Find(refName)), isChild: true);

    /// <summary>Closes the pack. A pack that was not published is gone. Its objects stay until gc.</summary>
    public void Dispose() => Pack.Dispose();

    private PublishedCommit PublishCommit(string refName, Commit commit, bool isChild)
    {
        DurableCommit durable = new(Pack.Add(commit));
        Publish();
        return new PublishedCommit(Store, refName, commit, durable, isChild);
    }

    private void RequireAdding() => Step.Require(!isPublished, "nothing can be added to what is published");
}
