using System.IO.Hashing;
using System.Runtime.InteropServices;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>What the stat cache knows about an unchanged file.</summary>
/// <param name="Blob">The digest of its content.</param>
/// <param name="HasXattrs">Whether the file has extended attributes, which then must be read.</param>
public readonly record struct CachedFile(Digest Blob, bool HasXattrs);

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
/// A record of the stat cache: a file's status, and what was found in the file. 64 bytes; FORMAT.md has the layout. The file's birth time is not
/// kept, but is part of the checksum, so a record is not found undamaged for an inode with another birth time.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal readonly record struct StatCacheValue
{
    private const ulong XattrBit = 1UL << 63;
    private const long NanosecondsPerSecond = 1_000_000_000;

    // Times beyond this many seconds from 1970 do not fit 64 bits of nanoseconds.
    private const long LastSecond = long.MaxValue / NanosecondsPerSecond - 1;

    private readonly ulong sizeAndFlag;
    private readonly long modified;
    private readonly long changed;
    private readonly Digest blob;
    private readonly ulong check;

    private StatCacheValue(ulong sizeAndFlag, long modified, long changed, Digest blob, ulong check)
    {
        this.sizeAndFlag = sizeAndFlag;
        this.modified = modified;
        this.changed = changed;
        this.blob = blob;
        this.check = check;
    }

    /// <summary>What was found in the file.</summary>
    internal CachedFile File => new(blob, (sizeAndFlag & XattrBit) != 0);

    /// <summary>Makes the record of a file; false if its times are out of range.</summary>
    internal static bool TryMake(StatCacheKey key, in FileStatus status, in CachedFile file, out StatCacheValue value)
    {
        value = default;
        if (!TryPack(status.ModifyTime, out long modified) || !TryPack(status.ChangeTime, out long changed))
        {
            return false;
        }

        ulong sizeAndFlag = (ulong)status.Size | (file.HasXattrs ? XattrBit : 0);
        var plain = new StatCacheValue(sizeAndFlag, modified, changed, file.Blob, 0);
        value = new StatCacheValue(sizeAndFlag, modified, changed, file.Blob, plain.CheckFor(key, BirthOf(status)));
        return true;
    }

    /// <summary>Whether the record is undamaged and belongs to a file with that status.</summary>
    internal bool IsOf(StatCacheKey key, in FileStatus status) =>
        (sizeAndFlag & ~XattrBit) == (ulong)status.Size
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
        ReadOnlySpan<Checked> all = [new Checked(key, new StatCacheValue(sizeAndFlag, modified, changed, blob, birth))];
        return XxHash3.HashToUInt64(MemoryMarshal.AsBytes(all));
    }

    [StructLayout(LayoutKind.Sequential, Size = 80)]
    private readonly record struct Checked(StatCacheKey Key, StatCacheValue Value);
}
