using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The right to use an image: a lock among processes of this program, after a look for a loop device on it. QEMU has locks of
/// its own and is asked where one of its programs opens the image.
/// </summary>
internal sealed class ImageLock : IDisposable
{
    private readonly SafeFileHandle file;

    private ImageLock(SafeFileHandle file) => this.file = file;

    /// <summary>Takes it alone. Throws <see cref="StoreException"/> where somebody uses the image.</summary>
    internal static ImageLock Take(string path) => Take(path, LockKind.Exclusive);

    /// <summary>Takes it beside others who only read.</summary>
    internal static ImageLock TakeShared(string path) => Take(path, LockKind.Shared);

    public void Dispose() => file.Dispose();

    /// <summary>What is said of an image that QEMU has open.</summary>
    internal static StoreException InUseByQemu(string path) =>
        new($"{path}: a QEMU has it open; switch that machine off first");

    private static ImageLock Take(string path, LockKind kind)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly, out SafeFileHandle file).ThrowIfFailed("openat", path);
        try
        {
            Errno errno = Sys.Lock(file, kind, wait: false);
            if (errno == Errno.EAGAIN)
            {
                throw new StoreException($"{path}: another `hacktree image` uses it; wait for that one to end");
            }

            errno.ThrowIfFailed("flock", path);
            RequireNoLoop(path);
            return new ImageLock(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A mount that was left over, or made by hand: two who write to one filesystem destroy it.</summary>
    private static void RequireNoLoop(string path)
    {
        string real = RealPath(path);
        foreach (string device in Directory.Exists("/sys/block") ? Directory.EnumerateDirectories("/sys/block", "loop*") : [])
        {
            string backing = Path.Combine(device, "loop/backing_file");
            if (File.Exists(backing) && File.ReadAllText(backing).TrimEnd('\n') == real)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"/dev/{Path.GetFileName(device)}");
                throw new StoreException($"{path}: it is attached to {name}; unmount that (`findmnt {name}` says where) or detach it with `losetup -d {name}` first");
            }
        }
    }

    private static string RealPath(string path)
    {
        string full = Path.GetFullPath(path);
        return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
    }
}
