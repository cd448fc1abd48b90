using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// fsck of the images of roots that are images (<see cref="RootImage"/>): finds those that are damaged or missing, and makes one again from the root's
/// commit. No record has the digest of an image: it follows from the commit.
/// </summary>
public static class RootImageRepair
{
    /// <summary>Compares each root's image with the root's commit. If the commit cannot be read, fsck says so elsewhere, and the image is skipped.</summary>
    public static void Check(ObjectStore store, Action<Finding> onProblem)
    {
        foreach ((string name, RootRecord record) in store.Roots.Finished())
        {
            string path = store.Roots.AbsolutePath(record);
            if (record.Method == CheckoutMethod.Image && FindFault(store, record, path) is { } cause)
            {
                onProblem(new Finding.DamagedRootImage(name, ImageIn(path), record.Commit, cause));
            }
        }
    }

    /// <summary>
    /// Makes an image again. Does nothing if the root is gone, or if another process has made it: a link of the same inode could not take its place, because
    /// rename(2) does nothing with two names of one inode.
    /// </summary>
    public static void Make(ObjectStore store, Finding.DamagedRootImage damaged)
    {
        using RootTurn turn = store.Roots.TakeTurn(damaged.Root, damaged.Place);
        if (store.Roots.Find(damaged.Root) is { } record
            && store.Roots.AbsolutePath(record) is var path
            && FindFault(store, record, path) is not null
            && TryOpen(record, path) is { } top)
        {
            using (top)
            {
                RootImage.MakeAgain(store, record.Commit, new WholeTree(top, path));
            }
        }
    }

    private static Cause? FindFault(ObjectStore store, RootRecord record, string path)
    {
        try
        {
            using SafeFileHandle? top = TryOpen(record, path);
            return top is null || RootImage.IsRight(store, record.Commit, top, path)
                ? null
                : new Cause.Damage("it is missing, or it is not the image of the root's commit");
        }
        catch (LinuxException e) when (!e.Errno.IsShortage())
        {
            return e.Subject == ImageIn(path) ? new Cause.FailedCall(e.Errno, e.Call) : null;
        }
        catch (StoreException)
        {
            return null;
        }
    }

    /// <summary>The directory of a root; null if it is not there.</summary>
    private static SafeFileHandle? TryOpen(RootRecord record, string path)
    {
        Errno errno = Sys.Open(
            Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        if (errno == Errno.None && Sys.Stat(top, out FileStatus status) == Errno.None && record.IsOf(status))
        {
            return top;
        }

        top.Dispose();
        return errno is Errno.None or Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException(errno, "openat", path);
    }

    private static string ImageIn(string path) => $"{path}/{RootImage.FileName}";
}
