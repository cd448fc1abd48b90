using System.Diagnostics;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The right to use an image. It is a lock among processes of this program, and it is taken only if no loop device is on the image and no
/// QEMU has the image open.
/// </summary>
internal sealed class ImageLock : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private const long FirstLockOfQemu = 100;
    private const long LocksOfQemu = 200;

    private readonly SafeFileHandle file;

    private ImageLock(SafeFileHandle file) => this.file = file;

    public void Dispose() => file.Dispose();

    /// <summary>The error for an image that QEMU has open.</summary>
    internal static StoreException InUseByQemu(string path) =>
        new($"{path}: a QEMU has it open; switch that machine off first");

    /// <summary>Takes the right. Throws <see cref="StoreException"/> if another process uses the image.</summary>
    internal static ImageLock Take(string path)
    {
        SafeFileHandle file = OpenPath.File(path);
        try
        {
            Errno errno = Sys.Lock(file, LockKind.Exclusive, wait: false);
            if (errno == Errno.EAGAIN)
            {
                throw new StoreException($"{path}: another `hacktree image` uses it; wait for that one to end");
            }

            errno.ThrowIfFailed("flock", path);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);

            // The kernel releases the files of a killed process a moment later.
            long started = Stopwatch.GetTimestamp();
            while (FindUse(path, file, status) is { } use)
            {
                if (Stopwatch.GetElapsedTime(started) > Patience)
                {
                    throw use;
                }

                Thread.Sleep(50);
            }

            return new ImageLock(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static StoreException? FindUse(string path, SafeFileHandle file, in FileStatus status)
    {
        if (FindLoop(path, status) is { } device)
        {
            // The device may be mounted, and two writers to one filesystem destroy it.
            return new StoreException(
                $"{path}: it is attached to {device}; unmount that (`findmnt {device}` says where) or detach it with `losetup -d {device}` first");
        }

        // QEMU marks what it does to an image by locks on some of these bytes.
        return Sys.IsRangeLocked(file, FirstLockOfQemu, LocksOfQemu) ? InUseByQemu(path) : null;
    }

    /// <summary>A loop device on the image, by whatever path it was attached.</summary>
    private static string? FindLoop(string path, in FileStatus image)
    {
        string real = RealPath.Of(path);
        foreach (string device in Directory.Exists("/sys/block") ? Directory.EnumerateDirectories("/sys/block", "loop*") : [])
        {
            string backing = Path.Combine(device, "loop/backing_file");
            try
            {
                if (File.Exists(backing) && IsSame(File.ReadAllText(backing).TrimEnd('\n'), real, image))
                {
                    return $"/dev/{Path.GetFileName(device)}";
                }
            }
            catch (IOException)
            {
                // The device was detached since the directory was listed.
            }
        }

        return null;
    }

    private static bool IsSame(string backing, string real, in FileStatus image) =>
        backing == real
        || (Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(backing), out FileStatus other) == Errno.None
            && (other.Device, other.Inode) == (image.Device, image.Inode));
}
