using System.Security.Cryptography;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What a tag of a remote names.</summary>
/// <param name="Commit">The commit; none if only the manifest itself would tell.</param>
/// <param name="Manifest">The manifest's bytes; null if they were not fetched yet.</param>
/// <param name="Descriptor">The manifest's descriptor.</param>
public sealed record TagTarget(Digest Commit, byte[]? Manifest, Descriptor Descriptor);

/// <summary>
/// A place that commits are pushed to and pulled from: tags, each of which names a manifest, and blobs by their SHA-256. Each kind of remote is one class, and
/// all pass RemoteTests. Thread-safe. The bytes of a remote are not trusted: <see cref="Read"/> compares them with their digest, and a caller of
/// <see cref="Open"/> has to compare the content.
/// </summary>
public abstract class Remote : IDisposable
{
    /// <summary>The tag of container images that is meant where none is said.</summary>
    public const string DefaultTag = "latest";

    private long requests;
    private long bytes;

    /// <summary>The remote's URL, for messages.</summary>
    public abstract string Subject { get; }

    /// <summary>The caller's request to stop.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>The number of requests so far; a file that was opened counts as one.</summary>
    public long Requests => Interlocked.Read(ref requests);

    /// <summary>The number of bytes that were fetched or sent so far, as content.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    /// <summary>Whether there is such a place at all, as far as that can be told without a request.</summary>
    public virtual bool Exists => true;

    /// <summary>What a tag names, a commit or a container image; null if there is no such tag.</summary>
    public abstract TagTarget? Find(string tag);

    /// <summary>What is meant where no tag is said: the tag latest, or of a place with one manifest that one; null if there is none.</summary>
    public virtual TagTarget? FindUntagged() => Find(DefaultTag);

    /// <summary>All tags.</summary>
    public abstract IReadOnlyList<string> Tags();

    /// <summary>
    /// Opens a part of a blob over one connection. A remote that cannot give parts gives more: <see cref="BlobPart.Position"/> says from where on. Throws
    /// <see cref="StoreException"/> if the blob is not there.
    /// </summary>
    protected internal abstract BlobPart OpenPart(Descriptor blob, long offset, long length);

    /// <summary>Whether the remote has a blob.</summary>
    public abstract bool Has(Descriptor blob);

    /// <summary>Sends a blob. <paramref name="content"/> is read from its position to its end, and can be sought.</summary>
    public abstract void Send(Descriptor blob, Stream content);

    /// <summary>Whether blobs are sent that the remote has already, because they may be damaged there.</summary>
    public bool SendsAll { get; set; }

    /// <summary>Sends a blob unless the remote has it. Whether it was sent.</summary>
    public bool SendUnlessThere(Descriptor blob, Stream content)
    {
        bool isLacking = SendsAll || !Has(blob);
        if (isLacking)
        {
            Send(blob, content);
        }

        return isLacking;
    }

    /// <summary>Makes tags name a manifest, all of whose blobs are there. The last tag is set last.</summary>
    /// <param name="manifest">The manifest's bytes.</param>
    /// <param name="commit">The commit, if it is the manifest of one; none for that of a container image.</param>
    /// <param name="tags">The tags.</param>
    public abstract void SetTags(byte[] manifest, Digest commit, IReadOnlyList<string> tags);

    /// <summary>Makes tags name the manifest of a commit.</summary>
    public void SetTags(Manifest manifest, IReadOnlyList<string> tags) => SetTags(manifest.Encode(), manifest.Commit.Digest, tags);

    /// <summary>Reads a manifest that another one names. Throws as <see cref="Read"/> does.</summary>
    public virtual byte[] ReadManifest(Descriptor manifest) => Read(manifest, Manifest.MaxLength);

    /// <summary>The refs that the remote has, sorted. Tags of commits, and those that no ref has, are passed over.</summary>
    public IReadOnlyList<string> Refs() => [.. Tags().Select(TagName.RefOf).OfType<string>().Order(StringComparer.Ordinal)];

    /// <summary>
    /// Begins to read a part of a blob. A remote that cannot give parts gives more: <see cref="BlobReader.Position"/> and
    /// <see cref="BlobReader.End"/> say what.
    /// Throws as <see cref="OpenPart"/> does.
    /// </summary>
    public BlobReader Open(Descriptor blob, long offset, long length) => new(this, blob, offset, length);

    /// <summary>Reads a whole small blob, and compares it with its digest. Throws <see cref="CorruptException"/> if it is another.</summary>
    public byte[] Read(Descriptor blob, int maxLength)
    {
        if (blob.Size > maxLength)
        {
            throw Wrong(blob, $"it would have {blob.Size} bytes, and {maxLength} are allowed");
        }

        var content = new MemoryStream((int)blob.Size);
        Copy(blob, content);
        return content.ToArray();
    }

    /// <summary>Copies a whole blob to an empty stream, and compares it with its digest at the end. Throws as <see cref="Read"/> does.</summary>
    public void Copy(Descriptor blob, Stream target)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using BlobReader reader = Open(blob, 0, blob.Size);
        byte[] buffer = new byte[64 * 1024];
        while (reader.Position < blob.Size)
        {
            int count = reader.Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, blob.Size - reader.Position)));
            hash.AppendData(buffer, 0, count);
            target.Write(buffer, 0, count);
        }

        if (new Digest(hash.GetHashAndReset()) != blob.Digest)
        {
            throw Wrong(blob, "what it holds has another digest");
        }
    }

    /// <summary>Reads the index of a generation. Throws <see cref="CorruptException"/> if it is none.</summary>
    internal BundleIndex ReadIndex(Generation generation) =>
        BundleIndex.TryDecode(Read(generation.Index, BundleIndex.MaxLength), out string error) ?? throw Wrong(generation.Index, error);

    /// <summary>The failure of a blob that is not what it should be.</summary>
    public CorruptException Wrong(Descriptor blob, string fault) => new($"{Subject} ({blob.DigestText})", fault, null);

    /// <summary>The failure of a blob that could not be read to its end.</summary>
    public StoreException Broken(Descriptor blob, Exception e) => new($"{Subject} ({blob.DigestText}): it cannot be read to its end: {e.Message}");

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Counts a request.</summary>
    protected void CountRequest() => Interlocked.Increment(ref requests);

    /// <summary>Counts bytes of content.</summary>
    internal void CountBytes(long count) => Interlocked.Add(ref bytes, count);

    /// <summary>Decodes a manifest of this remote. Throws <see cref="StoreException"/> if it is none.</summary>
    public Manifest Decode(string tag, TagTarget target)
    {
        byte[] bytes = target.Manifest ?? Read(target.Descriptor, Manifest.MaxLength);
        return Manifest.TryDecode(bytes, out string error) ?? throw new StoreException($"{Subject}: the tag {tag}: {error}");
    }
}
