using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>A directory of the store that is made when it is first needed. A store without it is whole.</summary>
internal sealed class LateRoom(ObjectStore store, SafeFileHandle top, string name, ushort mode = FileModes.PublicDirectory)
{
    /// <summary>Its path, for messages.</summary>
    internal string Path => $"{store.Path}/{name}";

    /// <summary>Opens it; null if there is none.</summary>
    internal SafeFileHandle? TryOpen()
    {
        Errno errno = Sys.Open(top, ByteText.FromArgument(name), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle room);
        if (errno == Errno.ENOENT)
        {
            return null;
        }

        errno.ThrowIfFailed("openat", Path);
        return room;
    }

    /// <summary>Makes it, durably, unless it is there, and opens it. Throws <see cref="StoreException"/> if this process may not write to the store.</summary>
    internal SafeFileHandle Make()
    {
        store.RequireWritable();
        if (Sys.MakeDirectory(top, ByteText.FromArgument(name), mode) == Errno.None)
        {
            Sys.Sync(top).ThrowIfFailed("fsync", store.Path);
        }

        return TryOpen() ?? throw new LinuxException(Errno.ENOENT, "openat", Path);
    }
}
