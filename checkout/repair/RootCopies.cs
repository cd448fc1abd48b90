using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The files of a store's roots as copies. Roots of copies have their own inodes, and roots of hardlinks may have inodes that the store has lost.
/// </summary>
public sealed class RootCopies(ObjectStore store) : FileCopies(store.Stop)
{
    /// <inheritdoc/>
    public override string Name => "the roots";

    /// <summary>Imports the roots of copies. An import of a root of hardlinks would rely on the store's trees.</summary>
    public override void AttachPacks(ObjectStore store)
    {
        foreach ((_, RootRecord record) in store.Roots.Finished().Where(root => root.Record.Method is CheckoutMethod.Copy or CheckoutMethod.Reflink))
        {
            DirectoryCopies.Describe(store, store.Roots.AbsolutePath(record));
        }
    }

    /// <inheritdoc/>
    protected override IEnumerable<CopyCandidate> Candidates(IReadOnlyDictionary<Digest, long> wanted)
    {
        foreach ((string name, RootRecord record) in store.Roots.Finished())
        {
            string top = store.Roots.AbsolutePath(record);
            foreach ((Digest blob, byte[] path) in FilesOf(record, wanted))
            {
                yield return new CopyCandidate(blob, $"{name}/{ByteText.Quote(path)}", () => Open(top, path));
            }
        }
    }

    private List<(Digest Blob, byte[] Path)> FilesOf(RootRecord record, IReadOnlyDictionary<Digest, long> wanted)
    {
        var files = new List<(Digest Blob, byte[] Path)>();
        try
        {
            TreeWalk.Visit(store.Packs, store.Packs.ReadCommit(record.Commit).Tree, (PathBuffer path, in TreeEntry entry) =>
            {
                if (entry.Kind == EntryKind.Regular && wanted.ContainsKey(entry.Digest))
                {
                    files.Add((entry.Digest, path.Bytes.ToArray()));
                }

                return true;
            });
        }
        catch (CorruptException)
        {
            // A lost tree hides what is below it. What was found before counts.
        }

        return files;
    }

    private static SafeFileHandle? Open(string top, byte[] path)
    {
        const OpenFlags openTop = OpenFlags.Path | OpenFlags.Directory | OpenFlags.NoFollow, openFile = OpenFlags.ReadOnly | OpenFlags.NonBlocking;
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(top), openTop, out SafeFileHandle directory);
        using (directory)
        {
            return errno == Errno.None && Sys.OpenBeneath(directory, path, openFile, out SafeFileHandle file) == Errno.None ? file : null;
        }
    }
}
