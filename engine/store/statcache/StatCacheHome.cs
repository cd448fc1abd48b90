using System.IO.Hashing;
using System.Runtime.InteropServices;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Where a stat cache was written: the cache's directory itself, and the session of its filesystem. Records of the store's own filesystem hold
/// only there.
/// </summary>
/// <param name="Place">
/// A number for the directory: a hash of its inode, its birth time and the identifier of its filesystem. A copy of the cache is another
/// directory.
/// </param>
/// <param name="Session">The session in which the cache was written.</param>
internal readonly record struct StatCacheHome(ulong Place, MountSession Session)
{
    /// <summary>Finds the home of the cache in an open directory.</summary>
    internal static StatCacheHome Of(SafeFileHandle directory, string path)
    {
        Sys.Stat(directory, out FileStatus status).ThrowIfFailed("statx", path);
        Sys.FilesystemOf(directory, out FilesystemStatus filesystem).ThrowIfFailed("fstatfs", path);

        // The identifier that XFS gives is the device number, which may be another one after each boot.
        ulong identifier = filesystem.Type == FilesystemType.Xfs ? 0 : filesystem.Identifier;
        ReadOnlySpan<ulong> identity = [status.Inode, (ulong)(status.BirthTime?.ToNanoseconds() ?? 0), (ulong)filesystem.Type, identifier];
        ulong place = XxHash3.HashToUInt64(MemoryMarshal.AsBytes(identity));
        return new StatCacheHome(place, MountSession.Of(directory, status, filesystem));
    }

    /// <summary>
    /// Whether a cache that was written at this home may be used at another one: it is the same directory, and the filesystem was not unmounted
    /// since. If the machine was started anew since, the filesystem was unmounted, but it counts as the same.
    /// </summary>
    internal bool IsStill(in StatCacheHome now) => Place == now.Place && (Session.Boot != now.Session.Boot || Session.Mount == now.Session.Mount);
}
