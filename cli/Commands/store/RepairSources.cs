using HackTree.Checkout;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>The places of good copies that a command line names with --from.</summary>
internal static class RepairSources
{
    /// <summary>
    /// Opens a place: an archive, a store or a directory that has one in "objects", the layout of a remote, another directory, or a remote as pull
    /// takes it.
    /// </summary>
    internal static IRepairSource Open(ObjectStore store, string text, Func<string, Remote> openRemote)
    {
        if (PathStatus.IsFile(text))
        {
            return new TarCopies(text, () => Streams.OpenInput(text), store.Stop);
        }

        if (!PathStatus.IsDirectory(text))
        {
            (string place, string? name) = RemotePlace.Split(text);
            if (RemotePlace.IsPlace(text) && RemotePlace.Parse(place) is { Kind: RemoteKind.Directory } missing && !PathStatus.IsDirectory(missing.Path))
            {
                throw new StoreException($"{text}: there is no such file or directory");
            }

            return new RemoteCopies(store, openRemote(place), name);
        }

        string[] stores = [text, Path.Combine(text, "objects")];
        return Array.Find(stores, ObjectStore.IsCertainlyStore) is { } other ? StoreCopies.Open(store, other)
            : PathStatus.IsFile(Path.Combine(text, "oci-layout")) ? new RemoteCopies(store, openRemote(PathOf(text)), refName: null)
            : new DirectoryCopies(text, store.Stop);
    }

    // Without a slash it would be the name of a remote.
    private static string PathOf(string text) => text.Contains('/', StringComparison.Ordinal) ? text : $"./{text}";
}
