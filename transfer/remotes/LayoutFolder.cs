using System.Collections.Concurrent;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Transfer;

/// <summary>
/// A remote that is an OCI image layout in a directory. What is written is durable when the call ends. The directory is made by the first push.
/// </summary>
public sealed class LayoutFolder(RemotePlace place) : Remote
{
    private const string LayoutName = "oci-layout";

    private readonly string path = place.Path;

    private static ReadOnlySpan<byte> LayoutFile => "{\"imageLayoutVersion\":\"1.0.0\"}"u8;

    // The manifests that tags named when they were asked for: one that was set since by another push must not be lost.
    private readonly ConcurrentDictionary<string, Digest> seen = [];

    /// <inheritdoc/>
    public override string Subject => place.ToString();

    /// <inheritdoc/>
    public override bool Exists => Directory.Exists(path);

    /// <inheritdoc/>
    public override TagTarget? Find(string tag)
    {
        CountRequest();
        TagTarget? found = ReadIndex()?.Find(tag);
        seen[tag] = found?.Descriptor.Digest ?? default;
        return found;
    }

    /// <inheritdoc/>
    public override TagTarget? FindUntagged()
    {
        CountRequest();
        return ReadIndex()?.FindUntagged();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags()
    {
        CountRequest();
        return ReadIndex()?.Tags() ?? throw Missing();
    }

    /// <inheritdoc/>
    protected internal override BlobPart OpenPart(Descriptor blob, long offset, long length)
    {
        CountRequest();
        if (!File.Exists(At(Layout.PathOf(blob.Digest))))
        {
            throw Wrong(blob, "it is missing there");
        }

        SafeFileHandle file = OpenPath.File(At(Layout.PathOf(blob.Digest)));
        var stream = new FileStream(file, FileAccess.Read, bufferSize: 0);
        if (stream.Length != blob.Size)
        {
            long there = stream.Length;
            stream.Dispose();
            throw Wrong(blob, $"its file has {there} bytes instead of {blob.Size}");
        }

        stream.Position = offset;
        return new BlobPart(this, stream, offset, offset + length);
    }

    /// <inheritdoc/>
    public override bool Has(Descriptor blob) => new FileInfo(At(Layout.PathOf(blob.Digest))) is { Exists: true } file && file.Length == blob.Size;

    /// <inheritdoc/>
    public override void Send(Descriptor blob, Stream content)
    {
        CountRequest();
        MakeFolders();
        string name = Layout.PathOf(blob.Digest);
        using DurableFile file = OpenPath.ToReplace(At(name), FileModes.PublicFile);
        byte[] buffer = new byte[128 * 1024];
        for (int count = content.Read(buffer); count > 0; count = content.Read(buffer))
        {
            Stop.ThrowIfCancellationRequested();
            file.Append(buffer.AsSpan(0, count));
            CountBytes(count);
        }

        file.Complete();
    }

    /// <inheritdoc/>
    public override void SetTags(byte[] manifest, Digest commit, IReadOnlyList<string> tags)
    {
        Descriptor descriptor = Descriptor.Of(MediaType.Manifest, manifest);
        Send(descriptor, new MemoryStream(manifest));
        using SafeFileHandle turn = OpenPath.Directory(path);
        Sys.Lock(turn, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", path);
        Layout index = ReadIndex() ?? Layout.Empty();
        foreach (string tag in tags)
        {
            if (seen.TryGetValue(tag, out Digest before) && before != (index.Find(tag)?.Descriptor.Digest ?? default))
            {
                throw new StoreException($"{Subject}: {TagName.RefOf(tag) ?? tag} was set to another commit meanwhile; run this again");
            }

            index.Set(tag, descriptor, commit);
        }

        Write(LayoutName, LayoutFile);
        Write(Layout.IndexName, index.Encode());
    }

    /// <summary>The index; null if the directory is missing or empty. Throws <see cref="StoreException"/> if it is something else.</summary>
    private Layout? ReadIndex()
    {
        string file = At(Layout.IndexName);
        if (!File.Exists(file))
        {
            bool isFree = !Directory.Exists(path) || Directory.EnumerateFileSystemEntries(path).All(entry => Path.GetFileName(entry) == "blobs");
            return isFree ? null : throw Missing();
        }

        return new FileInfo(file).Length <= Layout.MaxLength && Layout.TryDecode(File.ReadAllBytes(file)) is { } index
            ? index
            : throw new StoreException($"{file}: it is no index of an OCI image layout");
    }

    private StoreException Missing() => new($"{path} is no OCI image layout: it has no {Layout.IndexName}");

    private string At(string name) => Path.Combine(path, name);

    private void MakeFolders()
    {
        // What is not there yet is made from the top, each made durable by a sync of the directory above.
        string folder = At("blobs/sha256");
        if (!Directory.Exists(folder))
        {
            _ = ReadIndex();
            MakeFolder(folder);
            foreach (string above in (string[])[Path.GetDirectoryName(path) ?? "/", path, At("blobs")])
            {
                using SafeFileHandle directory = OpenPath.Directory(above);
                Sys.Sync(directory).ThrowIfFailed("fsync", above);
            }
        }
    }

    private static void MakeFolder(string folder)
    {
        try
        {
            _ = Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{folder}: no directory can be made there");
        }
    }

    private void Write(string name, ReadOnlySpan<byte> bytes)
    {
        using DurableFile file = OpenPath.ToReplace(At(name), FileModes.PublicFile);
        file.Append(bytes);
        file.Complete();
    }
}
