using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A scratch directory beside the store for one build: "lower" is a private checkout of the commit, "upper" and "work" are for the overlay, and
/// "merged" is where the overlay is mounted. A build record tells of the directory, so gc removes what a killed build left. While this process
/// lives, it holds the directory, and gc keeps the directory and its commit.
/// </summary>
public sealed class BuildPlace : IDisposable
{
    private static readonly string[] Parts = ["upper", "work", "merged"];

    /// <summary>The directories that get a filesystem of their own while the command runs.</summary>
    private static readonly string[] MountPoints = ["proc", "sys", "dev", "run", "tmp"];

    private readonly ObjectStore store;
    private readonly Commit commit;
    private readonly RootPlace place;

    // Locked from the beginning to the end, so that gc leaves the place alone while the store's lock is not held.
    private SafeFileHandle? held;

    private BuildPlace(ObjectStore store, Digest digest, string revision)
    {
        this.store = store;
        commit = store.Packs.ReadCommit(digest);
        place = Reserve(store, new RootPlan(digest, revision, CheckoutMethod.Hardlink, IsWhole: true, Force: false));
    }

    /// <summary>The path of the scratch directory.</summary>
    public string Path => place.PartialPath;

    /// <summary>Makes the place, with the private checkout in it.</summary>
    public static BuildPlace Make(ObjectStore store, Digest commit, string revision)
    {
        store.RequireWritable();
        var made = new BuildPlace(store, commit, revision);
        try
        {
            _ = made.place.BeginEmpty();
            made.held = made.place.OpenUnfinished(out _);
            Sys.Lock(made.held, LockKind.Exclusive, wait: false).ThrowIfFailed("flock", made.Path);
            made.Fill(commit);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Puts a file into the private checkout, and not into the commit. Does nothing if the directory is missing or a symbolic link. The
    /// directory keeps its time, because the overlay copies it.
    /// </summary>
    public void PutStandIn(string directory, string name, ReadOnlySpan<byte> content, bool isProgram)
    {
        using SafeFileHandle lower = OpenPart("lower");
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
        Errno errno = Sys.OpenBeneath(lower, ByteText.FromArgument(directory), flags, out SafeFileHandle above);
        using (above)
        {
            if (errno != Errno.None)
            {
                return;
            }

            byte[] bytes = ByteText.FromArgument(name);
            Sys.Stat(above, out FileStatus before).ThrowIfFailed("statx", Path);
            _ = Sys.Unlink(above, bytes);
            Sys.Open(above, bytes, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle file, FileModes.PublicFile)
                .ThrowIfFailed("openat", Path);
            using (file)
            {
                Sys.Write(file, content).ThrowIfFailed("write", Path);
                Sys.SetMode(file, isProgram ? FileModes.Program : FileModes.PublicFile).ThrowIfFailed("fchmod", Path);
            }

            Sys.SetTime(above, before.ModifyTime.Seconds).ThrowIfFailed("utimensat", Path);
        }
    }

    /// <summary>Makes trees of the commit's tree and of what the upper directory has.</summary>
    public ImportResult Import(Additions additions, ImportOptions options) =>
        TreeImport.Run(additions, System.IO.Path.Combine(Path, "upper"), options with { Over = new OverlayBase(commit) { Checkout = Checkout() } });

    private UserCheckout? Checkout()
    {
        if (!store.Format.UserMode)
        {
            return null;
        }

        using SafeFileHandle lower = OpenPart("lower");
        Sys.Stat(lower, out FileStatus status).ThrowIfFailed("statx", Path);
        return new UserCheckout(store.Format, status.Uid, status.Gid);
    }

    /// <summary>Removes the place. What cannot be removed now is left to gc.</summary>
    public void Dispose()
    {
        place.RemoveUnfinished();
        held?.Dispose();
        place.Dispose();
    }

    /// <summary>
    /// Reserves the first free name of build-1, build-2 and so on. A name whose build was killed is free, and its next build removes what is left.
    /// </summary>
    private static RootPlace Reserve(ObjectStore store, RootPlan plan)
    {
        for (int number = 1; ; number++)
        {
            string path = System.IO.Path.Combine(store.PhysicalRoot, string.Create(CultureInfo.InvariantCulture, $"build-{number}"));
            try
            {
                if (!System.IO.Path.Exists(path))
                {
                    return RootPlace.Reserve(store, path, plan);
                }
            }
            catch (RootPlace.TakenException)
            {
                // Another build is at work there.
            }
        }
    }

    private void Fill(Digest digest)
    {
        using SafeFileHandle top = place.OpenUnfinished(out _);
        var maker = new TreeMaker(store, CheckoutMethod.Hardlink, Path, null, store.Stop) { Commit = digest };
        TreeEntry entry = commit.RootEntry();
        maker.Begin(top, "lower"u8, entry);
        maker.Run();
        foreach (string part in Parts)
        {
            Sys.MakeDirectory(top, ByteText.FromArgument(part), FileModes.OwnerOnly).ThrowIfFailed("mkdirat", Path);
        }

        using (SafeFileHandle lower = OpenPart("lower"))
        {
            foreach (string point in MountPoints)
            {
                // What is there already will do, or is refused when it is mounted on.
                _ = Sys.MakeDirectory(lower, ByteText.FromArgument(point), FileModes.PublicDirectory);
            }
        }

        using SafeFileHandle upper = OpenPart("upper");
        OverlayBase.SetUp(upper, entry, UserCheckout.Shown(store.Format, entry.Xattrs), setsOwner: !store.Format.UserMode, Path);
    }

    private SafeFileHandle OpenPart(string part)
    {
        using SafeFileHandle top = place.OpenUnfinished(out _);
        Sys.Open(top, ByteText.FromArgument(part), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle directory)
            .ThrowIfFailed("openat", Path);
        return directory;
    }
}
