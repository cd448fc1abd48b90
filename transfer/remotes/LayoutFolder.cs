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

    private static ReadOnlySpan<byte> Folder => "blobs"u8;

    private static ReadOnlySpan<byte> LayoutFile => "{\"imageLayoutVersion\":\"1.0.0\"}"u8;

    // The manifests that tags named when they were asked for: one that was set since by another push must not be lost.
    private readonly ConcurrentDictionary<string, Digest> seen = [];

    /// <inheritdoc/>
    public override string Subject => place.ToString();

    /// <inheritdoc/>
    public override bool Exists => PathStatus.IsDirectory(path);

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
        if (!PathStatus.IsFile(At(Layout.PathOf(blob.Digest))))
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
    public override bool Has(Descriptor blob) => PathStatus.Find(At(Layout.PathOf(blob.Digest))) is { Type: FileType.Regular } file && file.Size == blob.Size;

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
        if (!PathStatus.IsFile(file))
        {
            return IsFree() ? null : throw Missing();
        }

        using FileStream stream = OpenPath.Content(file);
        byte[] bytes = new byte[Math.Min(stream.Length, Layout.MaxLength + 1)];
        stream.ReadExactly(bytes);
        return bytes.Length <= Layout.MaxLength && Layout.TryDecode(bytes) is { } index
            ? index
            : throw new StoreException($"{file}: it is no index of an OCI image layout");
    }

    /// <summary>Whether nothing is in the directory but what a push makes first.</summary>
    private bool IsFree()
    {
        if (!Exists)
        {
            return true;
        }

        using SafeFileHandle directory = OpenPath.Directory(path);
        var reader = new DirectoryReader();
        reader.Start(directory, path);
        while (reader.Next())
        {
            if (!reader.Name.SequenceEqual(Folder))
            {
                return false;
            }
        }

        return true;
    }

    private StoreException Missing() => new($"{path} is no OCI image layout: it has no {Layout.IndexName}");

    private string At(string name) => Path.Combine(path, name);

    private void MakeFolders()
    {
        string folder = At("blobs/sha256");
        if (!PathStatus.IsDirectory(folder))
        {
            _ = ReadIndex();
            OpenPath.MakeDirectories(folder);
        }
    }

    private void Write(string name, ReadOnlySpan<byte> bytes)
    {
        using DurableFile file = OpenPath.ToReplace(At(name), FileModes.PublicFile);
        file.Append(bytes);
        file.Complete();
    }
}
