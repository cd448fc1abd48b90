using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>The rules for a root's path.</summary>
internal static class RootPath
{
    // The longest name has 255 bytes, and .NAME.partial must fit.
    private const int MostNameBytes = 246;

    /// <summary>Throws <see cref="StoreException"/> if no root can have this real path.</summary>
    internal static void Require(ObjectStore store, string path)
    {
        if (!Commit.IsLine(path))
        {
            throw new StoreException(
                $"{ByteText.Quote(ByteText.FromArgument(path))}: the path of a root must be UTF-8 text of one line, "
                + "because records and boot entries hold it");
        }

        if (path == "/" || path.EndsWith(".partial", StringComparison.Ordinal))
        {
            throw new StoreException($"{path}: a checkout makes a new directory, whose name must not end in .partial; name one such as /r1");
        }

        if (NameOf(path).Length > MostNameBytes)
        {
            throw new StoreException($"{path}: the name is too long; a root's may have {MostNameBytes} bytes");
        }

        if (Roots.IsBelow(path, store.Path))
        {
            throw new StoreException($"{path}: it is in the store {store.Path}, where only the store's own files belong; name a place beside it");
        }
    }

    /// <summary>The last component of a path, in bytes.</summary>
    internal static byte[] NameOf(string path) => ByteText.FromArgument(Path.GetFileName(path));

    /// <summary>Opens the directory above a path.</summary>
    internal static SafeFileHandle OpenParent(string path)
    {
        string above = Path.GetDirectoryName(path)!;
        const OpenFlags Flags = OpenFlags.ReadOnly | OpenFlags.Directory;
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(above), Flags, out SafeFileHandle parent);
        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            throw new StoreException($"{above}: no such directory; make it first, a checkout makes only its last component");
        }

        errno.ThrowIfFailed("openat", above);
        return parent;
    }
}
