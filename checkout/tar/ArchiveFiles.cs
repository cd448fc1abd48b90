using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// The regular files of a tar archive, by their paths, to be read in any order. A symbolic or hard link inside the archive is the file that it leads
/// to. A compressed archive, or one from a pipe, is unpacked into an unnamed file of the store.
/// </summary>
public sealed class ArchiveFiles : IDisposable
{
    private const int MostEntries = 100_000;
    private const int MostLinks = 8;

    private readonly Dictionary<byte[], (long Offset, long Length)> files = new(ByteComparer.Instance);
    private readonly Dictionary<byte[], byte[]> links = new(ByteComparer.Instance);
    private readonly Stream archive;

    private ArchiveFiles(Stream archive) => this.archive = archive;

    /// <summary>Opens an archive, and goes through its headers. Takes over the stream. Throws <see cref="TarException"/> if it is none.</summary>
    public static ArchiveFiles Open(ObjectStore store, Stream input)
    {
        var opened = new ArchiveFiles(Unpacked(store, input));
        try
        {
            opened.ReadHeaders(store.Stop);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>The length of a file; negative if there is none.</summary>
    public long LengthOf(string path) => Find(path)?.Length ?? -1;

    /// <summary>Opens a part of a file. Only one part is read at a time.</summary>
    public Stream Open(string path, long offset, long length)
    {
        (long start, long whole) = Find(path) ?? throw new InvalidOperationException(path);
        archive.Position = start + Math.Min(offset, whole);
        return new PartStream(archive, Math.Min(length, whole - Math.Min(offset, whole)));
    }

    /// <inheritdoc/>
    public void Dispose() => archive.Dispose();

    private static Stream Unpacked(ObjectStore store, Stream input)
    {
        try
        {
            long start = input.CanSeek ? input.Position : -1;
            Stream unpacked = TarPacking.Open(input);
            if (unpacked is PackedInput && start >= 0)
            {
                input.Position = start;
                return input;
            }

            FileStream scratch = ScratchFile.Open(store);
            using (input)
            {
                byte[] buffer = new byte[256 * 1024];
                for (int count = unpacked.Read(buffer); count > 0; count = unpacked.Read(buffer))
                {
                    store.Stop.ThrowIfCancellationRequested();
                    scratch.Write(buffer, 0, count);
                }
            }

            scratch.Position = 0;
            return scratch;
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    private void ReadHeaders(CancellationToken stop)
    {
        long start = archive.Position;
        var reader = new TarReader(archive);
        for (int entries = 0; reader.Next(); entries++)
        {
            stop.ThrowIfCancellationRequested();
            if (entries == MostEntries)
            {
                throw reader.Fault($"the archive has more than {MostEntries} entries; no image has so many files");
            }

            if (reader.IsHardLink || reader.Kind == EntryKind.Symlink)
            {
                links[TarPath.Plain(reader.Path)] = reader.IsHardLink ? TarPath.Plain(reader.LinkTarget) : TargetOf(reader);
            }
            else if (reader is { Kind: EntryKind.Regular, IsSparse: false })
            {
                files[TarPath.Plain(reader.Path)] = (start + reader.ContentOffset, reader.Size);
            }
        }
    }

    /// <summary>What a relative symbolic link leads to, as a path from the archive's top. A link that leads elsewhere finds no file.</summary>
    private static byte[] TargetOf(TarReader link)
    {
        var path = new PathBuffer();
        var lengths = new Stack<int>();
        byte[] above = TarPath.Plain(link.Path);
        ReadOnlySpan<byte> rest = (byte[])[.. above.AsSpan(0, Math.Max(0, above.AsSpan().LastIndexOf((byte)'/'))), (byte)'/', .. link.LinkTarget];
        while (TarPath.Next(ref rest, out ReadOnlySpan<byte> name))
        {
            if (name.SequenceEqual(".."u8))
            {
                path.Cut(lengths.TryPop(out int length) ? length : 0);
            }
            else
            {
                lengths.Push(path.Push(name));
            }
        }

        return path.Bytes.ToArray();
    }

    private (long Offset, long Length)? Find(string path)
    {
        byte[] name = TarPath.Plain(ByteText.FromArgument(path));
        for (int followed = 0; followed <= MostLinks; followed++)
        {
            if (files.TryGetValue(name, out (long, long) file))
            {
                return file;
            }

            if (!links.TryGetValue(name, out byte[]? target))
            {
                return null;
            }

            name = target;
        }

        return null;
    }
}
