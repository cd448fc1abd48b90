using System.Numerics;
using System.Security.Cryptography;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// What lets an unchanged file skip being read: (device, inode) -> size, times, blob digest. Never the truth; any doubt
/// means a miss. It answers what a file's content was when its status was as given; whether the store has that blob is
/// for the caller to see. Open it for one command; each thread has a <see cref="Reader"/>.
/// </summary>
public sealed partial class StatCache : IDisposable
{
    // Hash table: bytes for each record, and its bounds. 2 GiB would be lost on reading it back.
    private const int IndexBytesPerRecord = 16;
    private const long SmallestIndex = 1024 * 1024;
    private const long LargestIndex = 1024 * 1024 * 1024;

    // Files that are gone leave their records behind. When there are so many times more than one run needs, all go.
    private const int MostRecordsPerNeeded = 4;
    private const long RecordsAlwaysAllowed = 512 * 1024;

    // A cache must not be what fills a disk.
    private const long FreeBytesKept = 64 * 1024 * 1024;

    private readonly string path;
    private readonly List<Reader> readers = [];
    private readonly Lock gate = new();
    private SafeFileHandle? directory;
    private SafeFileHandle? lockFile;
    private StatCacheTable? table;
    private StatCacheManifest? manifest;
    private long indexSize;
    private string logName = "";

    private StatCache(string path) => this.path = path;

    /// <summary>Whether it can be used at all.</summary>
    public bool IsEnabled => table is not null;

    /// <summary>Why not, in words; null where it can.</summary>
    public string? Disabled { get; private set; }

    /// <summary>Why it begins empty, in words; null where it does not.</summary>
    public string? Emptied { get; private set; }

    /// <summary>
    /// Opens the cache of a store. Never fails for the cache's sake: where another process has it, or the store is not
    /// writable or nearly full, it is disabled; where what is there is damaged, it is thrown away and begins empty.
    /// </summary>
    /// <param name="storeDirectory">The store's directory; stays the caller's.</param>
    /// <param name="storePath">Its path.</param>
    /// <param name="expectedEntries">How many files there will be, about; 0 where that is not known. Sets the size of a new hash table.</param>
    public static StatCache Open(SafeFileHandle storeDirectory, string storePath, long expectedEntries)
    {
        var cache = new StatCache($"{storePath}/cache");
        try
        {
            cache.Start(storeDirectory, expectedEntries);
        }
        catch (Exception e) when (e is IOException or StoreException or UnauthorizedAccessException)
        {
            cache.Disable(e.Message);
        }

        return cache;
    }

    /// <summary>Makes the way in for one thread. It may be disposed before or by <see cref="Save"/>.</summary>
    public Reader NewSession()
    {
        var reader = new Reader(table);
        lock (gate)
        {
            readers.Add(reader);
        }

        return reader;
    }

    /// <summary>
    /// Keeps what was added for later commands. No thread may use its <see cref="Reader"/> any more. False where that
    /// could not be; then what was there is as it was, or thrown away.
    /// </summary>
    public bool Save()
    {
        if (table is null)
        {
            return false;
        }

        EndReaders();
        bool isNew = readers.Any(reader => reader.Added > 0) || (manifest is not null && manifest.IndexSize != indexSize);
        if (table.IsSound && !isNew)
        {
            return true;
        }

        try
        {
            if (table.IsSound && TrySave(table))
            {
                return true;
            }

            GiveUp(table);
        }
        catch (Exception e) when (e is IOException or StoreException or UnauthorizedAccessException or CryptographicException)
        {
            // The last is FASTER's Guid.NewGuid without a /dev/urandom.
            Disable(e.Message);
        }

        return false;
    }

    /// <summary>Closes it; what was not saved is lost.</summary>
    public void Dispose()
    {
        EndReaders();
        table?.Dispose();
        table = null;
        directory?.Dispose();

        // Last: whoever gets the lock then finds nobody at work.
        lockFile?.Dispose();
    }

    private void Start(SafeFileHandle store, long expectedEntries)
    {
        Errno errno = Sys.MakeDirectory(store, "cache"u8, FileModes.OwnerOnly);
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("mkdirat", path);
        }

        Sys.Open(store, "cache"u8, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle opened).ThrowIfFailed("openat", path);
        directory = opened;
        Sys.Open(directory, "lock"u8, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", $"{path}/lock");
        lockFile = file;
        errno = Sys.Lock(lockFile, LockKind.Exclusive, wait: false);
        if (errno == Errno.EAGAIN)
        {
            Disable("another process is using it");
            return;
        }

        errno.ThrowIfFailed("flock", $"{path}/lock");
        StatCacheManifest? found = StatCacheManifest.TryRead(directory, path);
        long limit = Math.Max(RecordsAlwaysAllowed, MostRecordsPerNeeded * (found?.LargestRun ?? 0));
        if (found is null || found.Records > limit || !TryOpen(found))
        {
            Emptied = found is null ? "there is none that is whole" : found.Records > limit ? "too much in it is of no use any more" : "it is damaged";
            Begin(expectedEntries);
        }
        else
        {
            StatCacheManifest.RemoveOthers(directory, path, manifest);
        }
    }

    private bool TryOpen(StatCacheManifest found)
    {
        // A table that has become too small is made anew from the log, which takes a while once.
        bool isOutgrown = found.Records * IndexBytesPerRecord > 2 * found.IndexSize;
        indexSize = isOutgrown ? IndexSizeFor(found.Records) : found.IndexSize;
        var log = new StatCacheFile(directory!, found.Log, found.LogLength, found.LogSums, MayGrow);
        StatCacheFile? index = isOutgrown ? null : new StatCacheFile(directory!, found.Index, found.IndexLength, found.IndexSums, MayGrow);
        table = StatCacheTable.TryOpen(log, index, found, indexSize);
        manifest = table is null ? null : found;
        logName = found.Log;
        return table is not null;
    }

    private void Begin(long expectedEntries)
    {
        StatCacheManifest.RemoveOthers(directory!, path, null);
        manifest = null;
        indexSize = IndexSizeFor(expectedEntries);
        logName = NewName("log");
        table = StatCacheTable.Create(new StatCacheFile(directory!, logName, 0, [], MayGrow), indexSize);
    }

    private bool TrySave(StatCacheTable saved)
    {
        long records = saved.Records;

        // The log's end is read at every start; the index is written anew when that becomes much.
        bool isIndexNew = manifest is null || manifest.IndexSize != indexSize || records > manifest.IndexedRecords + (records / 10);
        string indexName = isIndexNew ? NewName("index") : manifest!.Index;
        StatCacheFile? index = isIndexNew ? new StatCacheFile(directory!, indexName, 0, [], MayGrow) : null;
        long logLength = saved.LogLength;
        if (!saved.Save(index))
        {
            return false;
        }

        long indexLength = isIndexNew ? index!.Length : manifest!.IndexLength;
        StatCacheManifest next = saved.Describe(new StatCacheManifest
        {
            Log = logName,
            LogLength = logLength,
            LogSums = saved.LogSums(logLength),
            LogToken = default,
            LogInfo = [],
            Records = records,
            Index = indexName,
            IndexLength = indexLength,
            IndexSums = isIndexNew ? index!.Sums(indexLength) : manifest!.IndexSums,
            IndexToken = default,
            IndexInfo = [],
            IndexSize = indexSize,
            IndexedRecords = isIndexNew ? records : manifest!.IndexedRecords,
            LargestRun = Math.Max(manifest?.LargestRun ?? 0, readers.Sum(reader => Math.Max(reader.Asked, reader.Added))),
        });
        if (!saved.IsSound)
        {
            return false;
        }

        next.Write(directory!, path);
        manifest = next;
        StatCacheManifest.RemoveOthers(directory!, path, next);
        return true;
    }

    /// <summary>What cannot be written leaves things as they were; what cannot be trusted goes.</summary>
    private void GiveUp(StatCacheTable given)
    {
        bool isDamaged = given.IsDamaged;
        given.Undo();
        given.Dispose();
        table = null;
        Disabled = isDamaged ? "it is damaged" : "it could not be written";
        StatCacheManifest.RemoveOthers(directory!, path, isDamaged ? null : manifest);
    }

    private void Disable(string why)
    {
        Dispose();
        Disabled = why;
    }

    private void EndReaders()
    {
        lock (gate)
        {
            readers.ForEach(reader => reader.Dispose());
        }
    }

    private bool MayGrow(long bytes)
    {
        try
        {
            return new DriveInfo(path).AvailableFreeSpace >= bytes + FreeBytesKept;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static long IndexSizeFor(long records) =>
        (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(records * IndexBytesPerRecord, SmallestIndex, LargestIndex));

    private static string NewName(string kind) => $"{kind}-{AtomicFile.RandomDigits()}";
}
