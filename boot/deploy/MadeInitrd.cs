using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The initrd that a deploy makes for a commit which has a kernel and no initrd. The commit's own program makes it, as the command of a build does its
/// work: in an overlay over a private checkout of the commit. Whatever goes wrong, or is killed, leaves nothing but what gc removes. The initrd is
/// there until this is disposed of; a root keeps it by a name of its own.
/// </summary>
internal sealed class MadeInitrd : IDisposable
{
    private readonly BuildPlace place;

    private MadeInitrd(BuildPlace place, string path) => (this.place, Path) = (place, path);

    /// <summary>Where it is.</summary>
    internal string Path { get; }

    /// <summary>Makes it. Throws <see cref="UnbootableException"/>, with the program's last words, if that fails.</summary>
    internal static MadeInitrd Make(ObjectStore store, DeployRequest request, string version, InitrdProgram program)
    {
        var place = BuildPlace.Make(store, request.Commit, request.Revision);
        try
        {
            if (program.Kind == InitramfsKind.Dracut)
            {
                // Nothing can be appended to an initrd of dracut.
                InitramfsInstall.Install(System.IO.Path.Combine(place.Path, "lower"), InitramfsKind.Dracut);
            }

            var build = new BuildRequest(program.CommandFor(version), Script: null, HasNetwork: false, [], [("LC_ALL", "C")]);
            ProgramRun Run() => BuildRun.RunQuietly(place, build, store.Stop);

            // A bisect has a lock that comes after the store's, which it cannot wait for again.
            ProgramRun run = request.Bisect is null ? store.RunUnlocked(Run) : Run();
            string path = System.IO.Path.Combine(place.Path, "upper", BootFolder.Name, BootFolder.InitrdName(version));
            if (!run.Succeeded || !File.Exists(path))
            {
                throw new UnbootableException($"the /{program.Path} of {request.Revision} made no initrd for its kernel {version}: {run.LastWords}");
            }

            Patch(path, store.Stop);
            return new MadeInitrd(place, path);
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    /// <summary>What making it takes on the disk meanwhile, about: a checkout of the commit, and twice the files that go into an initrd.</summary>
    /// <param name="store">The store.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="root">What a root of it takes.</param>
    /// <param name="version">The kernel.</param>
    internal static RootSpace SpaceFor(ObjectStore store, Commit commit, RootSpace root, string version)
    {
        // The programs of a system in an initrd, and the names of modules.
        const long Programs = 64_000_000, Inodes = 5000;
        return new RootSpace(root.Bytes + (2 * (Programs + ModulesOf(store, commit, version))), root.Inodes + Inodes);
    }

    public void Dispose() => place.Dispose();

    private static void Patch(string path, CancellationToken stop)
    {
        try
        {
            InitrdPatch.Patch(path, path, stop);
        }
        catch (InitrdException e)
        {
            throw new UnbootableException(e.Message);
        }
    }

    /// <summary>The length of all modules of a kernel, of which an initrd has a part.</summary>
    private static long ModulesOf(ObjectStore store, Commit commit, string version)
    {
        long bytes = 0;
        if (RootKernel.FindModules(store, commit, version) is { } tree)
        {
            TreeWalk.Visit(store.Packs, tree, (_, in entry) =>
            {
                bytes += entry.Kind == EntryKind.Regular ? entry.Size : 0;
                return true;
            });
        }

        return bytes;
    }
}
