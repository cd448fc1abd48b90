using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The files below a directory as copies, whatever their names. Only files with the size of a wanted blob are read. Symbolic links are not followed.
/// What cannot be read is passed over.
/// </summary>
public sealed class DirectoryCopies : FileCopies
{
    private const OpenFlags OpenDirectory = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;

    private readonly string path;
    private readonly SafeFileHandle top;
    private readonly CancellationToken stop;

    /// <summary>Opens the directory. Throws <see cref="LinuxException"/> if that fails.</summary>
    public DirectoryCopies(string path, CancellationToken stop)
        : base(stop)
    {
        this.path = path;
        this.stop = stop;
        top = OpenPath.Directory(path);
    }

    /// <inheritdoc/>
    public override string Name => $"the directory {path}";

    /// <summary>Imports the directory into a pack without a name, for trees that it happens to have as they were.</summary>
    public override void AttachPacks(ObjectStore store) => Describe(store, path);

    internal static void Describe(ObjectStore store, string path)
    {
        try
        {
            using var scratch = new ScratchPack(store);
            TreeImport.Describe(scratch, path, new ImportOptions { MakesKnownTrees = true });
            scratch.Attach();
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            // A file that cannot be read, or changes, costs only the trees.
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        top.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override IEnumerable<CopyCandidate> Candidates(IReadOnlyDictionary<Digest, long> wanted)
    {
        HashSet<long> sizes = [.. wanted.Values];
        var waiting = new Stack<byte[]>();
        waiting.Push([]);
        while (waiting.TryPop(out byte[]? directory))
        {
            var candidates = new List<CopyCandidate>();
            List(directory, waiting, (file, status) =>
            {
                if (sizes.Contains(status.Size) && Hash(file, status) is { } digest && wanted.ContainsKey(digest))
                {
                    candidates.Add(new CopyCandidate(digest, ByteText.Quote(file), () => Open(file), IsRead: true));
                }
            });
            foreach (CopyCandidate candidate in candidates)
            {
                yield return candidate;
            }
        }
    }

    private void List(byte[] directory, Stack<byte[]> waiting, Action<byte[], FileStatus> onFile)
    {
        Errno errno = Sys.OpenBeneath(top, directory.Length == 0 ? "."u8 : directory, OpenDirectory, out SafeFileHandle opened);
        using (opened)
        {
            if (errno != Errno.None)
            {
                return;
            }

            var reader = new DirectoryReader();
            reader.Start(opened, path);
            while (reader.Next())
            {
                stop.ThrowIfCancellationRequested();
                byte[] name = directory.Length == 0 ? reader.Name.ToArray() : [.. directory, (byte)'/', .. reader.Name];
                if (Sys.Stat(opened, reader.Name, out FileStatus status) != Errno.None)
                {
                    continue;
                }

                if (status.Type == FileType.Directory)
                {
                    waiting.Push(name);
                }
                else if (status.Type == FileType.Regular)
                {
                    onFile(name, status);
                }
            }
        }
    }

    private Digest? Hash(byte[] name, in FileStatus status)
    {
        try
        {
            using SafeFileHandle? file = Open(name);
            return file is null ? null : Blobs.HashFile(file, status, path, stop);
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            return null;
        }
    }

    private SafeFileHandle? Open(byte[] name) =>
        Sys.OpenBeneath(top, name, OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file) == Errno.None ? file : null;
}
