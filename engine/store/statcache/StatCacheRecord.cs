using System.IO.Hashing;
using System.Runtime.InteropServices;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>What the stat cache knows about an unchanged file.</summary>
/// <param name="Blob">The digest of its content.</param>
/// <param name="Xattrs">Its extended attributes.</param>
public readonly record struct CachedFile(Digest Blob, CachedXattrs Xattrs);

/// <summary>The key of a file in the stat cache.</summary>
/// <param name="Filesystem">The number of its filesystem (<see cref="CachedFilesystem"/>).</param>
/// <param name="Inode">Its inode number.</param>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal readonly record struct StatCacheKey(ulong Filesystem, ulong Inode)
{
    /// <summary>A hash that spreads neighbouring inode numbers evenly.</summary>
    internal long Hash()
    {
        ReadOnlySpan<StatCacheKey> key = [this];
        return (long)XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key));
    }
}

/// <summary>
/// A record of the stat cache: a file's status, and what was found in the file. 80 bytes; FORMAT.md has the layout. The file's birth time is not
/// kept, but is part of the checksum, so a record is not found undamaged for an inode with another birth time.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 80)]
internal readonly record struct StatCacheValue
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    // Times beyond this many seconds from 1970 do not fit 64 bits of nanoseconds.
    private const long LastSecond = long.MaxValue / NanosecondsPerSecond - 1;

    private readonly ulong size;
    private readonly long modified;
    private readonly long changed;
    private readonly Digest blob;
    private readonly CachedXattrs xattrs;
    private readonly ulong check;

    private StatCacheValue(ulong size, long modified, long changed, in CachedFile file, ulong check)
    {
        this.size = size;
        this.modified = modified;
        this.changed = changed;
        blob = file.Blob;
        xattrs = file.Xattrs;
        this.check = check;
    }

    /// <summary>What was found in the file.</summary>
    internal CachedFile File => new(blob, xattrs);

    /// <summary>Makes the record of a file; false if its times are out of range.</summary>
    internal static bool TryMake(StatCacheKey key, in FileStatus status, in CachedFile file, out StatCacheValue value)
    {
        value = default;
        if (!TryPack(status.ModifyTime, out long modified) || !TryPack(status.ChangeTime, out long changed))
        {
            return false;
        }

        var plain = new StatCacheValue((ulong)status.Size, modified, changed, file, 0);
        value = new StatCacheValue((ulong)status.Size, modified, changed, file, plain.CheckFor(key, BirthOf(status)));
        return true;
    }

    /// <summary>Whether the record is undamaged and belongs to a file with that status.</summary>
    internal bool IsOf(StatCacheKey key, in FileStatus status) =>
        size == (ulong)status.Size
        && TryPack(status.ModifyTime, out long modifiedNow) && modified == modifiedNow
        && TryPack(status.ChangeTime, out long changedNow) && changed == changedNow
        && check == CheckFor(key, BirthOf(status));

    private static bool TryPack(FileTime time, out long nanoseconds)
    {
        bool fits = time.Seconds is >= -LastSecond and <= LastSecond;
        nanoseconds = fits ? time.ToNanoseconds() : 0;
        return fits;
    }

    private static ulong BirthOf(in FileStatus status) =>
        status.BirthTime is { } birth && TryPack(birth, out long born) ? (ulong)born : 0;

    private ulong CheckFor(StatCacheKey key, ulong birth)
    {
        // For the sum, the birth time stands in the place of the sum.
        ReadOnlySpan<Checked> all = [new Checked(key, new StatCacheValue(size, modified, changed, File, birth))];
        return XxHash3.HashToUInt64(MemoryMarshal.AsBytes(all));
    }

    [StructLayout(LayoutKind.Sequential, Size = 96)]
    private readonly record struct Checked(StatCacheKey Key, StatCacheValue Value);
}
