using System.Numerics;
using System.Security.Cryptography;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Lets a commit skip reading unchanged files: it maps (filesystem, inode) to size, times and blob digest. The cache is never the truth: when
/// anything is uncertain, the look-up is a miss. It tells which content a file had at a given status; the caller must check whether the
/// store has that blob. It is opened for one command, and each thread has its own <see cref="Reader"/>.
/// </summary>
public sealed partial class StatCache : IDisposable
{
    // The size of the hash table: bytes for each record, and its bounds. A table of 2 GiB could be written but not read back.
    private const int IndexBytesPerRecord = 12;
    private const long SmallestIndex = 1024 * 1024;
    private const long LargestIndex = 1024 * 1024 * 1024;

    // Deleted files leave their records behind. When there are this many times more records than one run needs, the cache begins empty.
    private const int MostRecordsPerNeeded = 4;
    private const long RecordsAlwaysAllowed = 512 * 1024;

    // The cache stops growing when the filesystem has less space left than this.
    private const long FreeBytesKept = 64 * 1024 * 1024;

    private readonly string path;
    private readonly List<Reader> readers = [];
    private readonly Lock gate = new();
    private SafeFileHandle? directory;
    private SafeFileHandle? lockFile;
    private readonly Dictionary<ulong, CachedFilesystem> filesystems = [];
    private StatCacheHome home;
    private StatCacheTable? table;
    private StatCacheManifest? manifest;
    private long indexSize;
    private string logName = "";

    private StatCache(string path) => this.path = path;

    /// <summary>Whether the cache can be used.</summary>
    public bool IsEnabled => table is not null;

    /// <summary>Why the cache cannot be used, in words; null if it can.</summary>
    public string? Disabled { get; private set; }

    /// <summary>Why the cache begins empty, in words; null if it does not.</summary>
    public string? Emptied { get; private set; }

    /// <summary>
    /// Opens the cache of a store. It never fails because of the cache. The cache is disabled if another process uses it, or if the store is
    /// not writable or nearly full. A damaged cache is thrown away and begins empty.
    /// </summary>
    /// <param name="storeDirectory">The store's directory. The caller keeps owning it.</param>
    /// <param name="storePath">Its path.</param>
    /// <param name="expectedEntries">The approximate number of files; 0 if it is not known. It sets the size of a new hash table.</param>
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

    /// <summary>A cache that is disabled, which writes nothing.</summary>
    /// <param name="storePath">The path of the store.</param>
    /// <param name="why">Why, in words.</param>
    internal static StatCache None(string storePath, string why) => new($"{storePath}/cache") { Disabled = why };

    /// <summary>Makes a reader for one thread. The caller may dispose of it before <see cref="Save"/>, which otherwise does so.</summary>
    public Reader NewSession()
    {
        var reader = new Reader(this);
        lock (gate)
        {
            readers.Add(reader);
        }

        return reader;
    }

    /// <summary>
    /// Saves what was added, for later commands. No thread may use its <see cref="Reader"/> any more. False if that fails: then the saved
    /// cache is either unchanged or thrown away.
    /// </summary>
    public bool Save()
    {
        if (table is null)
        {
            return false;
        }

        EndReaders();
        bool isNew = readers.Any(reader => reader.Added > 0) || (manifest is not null && manifest.IndexSize != indexSize);

        try
        {
            if (table.IsSound && (isNew ? TrySave(table) : TryStay()))
            {
                return true;
            }

            GiveUp(table);
        }
        catch (Exception e) when (e is IOException or StoreException or UnauthorizedAccessException or CryptographicException)
        {
            // CryptographicException comes from FASTER's Guid.NewGuid if there is no /dev/urandom.
            Disable(e.Message);
        }

        return false;
    }

    /// <summary>Closes the cache. Unsaved additions are lost.</summary>
    public void Dispose()
    {
        EndReaders();
        table?.Dispose();
        table = null;
        directory?.Dispose();

        // The lock goes last, so that the next process finds nobody at work.
        lockFile?.Dispose();
    }

    private void Start(SafeFileHandle store, long expectedEntries)
    {
        Errno errno = Sys.MakeDirectory(store, "cache"u8, FileModes.OwnerOnly);
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("mkdirat", path);
        }

        Sys.Open(store, "cache"u8, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle opened)
            .ThrowIfFailed("openat", path);
        directory = opened;
        const OpenFlags LockFlags = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow;
        Sys.Open(directory, "lock"u8, LockFlags, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", $"{path}/lock");
        lockFile = file;
        errno = Sys.Lock(lockFile, LockKind.Exclusive, wait: false);
        if (errno == Errno.EAGAIN)
        {
            Disable("another process is using it");
            return;
        }

        errno.ThrowIfFailed("flock", $"{path}/lock");
        home = StatCacheHome.Of(directory, path);
        StatCacheManifest? found = StatCacheManifest.TryRead(directory, path);
        long limit = Math.Max(RecordsAlwaysAllowed, MostRecordsPerNeeded * (found?.LargestRun ?? 0));
        if (found is null || !found.Home.IsStill(home) || found.Records > limit || !TryOpen(found))
        {
            Emptied = found is null ? "there is none that is whole"
                : !found.Home.IsStill(home) ? "it was copied, or its filesystem was unmounted since it was written"
                : found.Records > limit ? "most of its records are no longer needed"
                : "it is damaged";
            Begin(expectedEntries);
        }
        else
        {
            StatCacheManifest.RemoveOthers(directory, path, manifest);
        }
    }

    private bool TryOpen(StatCacheManifest found)
    {
        // A hash table that has become too small is rebuilt from the log, which takes a while once.
        bool isOutgrown = Math.Min(found.Records * IndexBytesPerRecord, LargestIndex) > 2 * found.IndexSize;
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

    private CachedFilesystem FilesystemOf(SafeFileHandle opened, in FileStatus status)
    {
        lock (gate)
        {
            if (!filesystems.TryGetValue(status.Device, out CachedFilesystem found))
            {
                found = table is null ? new CachedFilesystem(status.Device, 0) : CachedFilesystem.Of(opened, status, directory!);
                filesystems.Add(status.Device, found);
            }

            return found;
        }
    }

    /// <summary>Keeps what is saved, and notes in which session it was still right.</summary>
    private bool TryStay()
    {
        if (manifest is not null && manifest.Home != home)
        {
            manifest = manifest with { Home = home };
            manifest.Write(directory!, path);
        }

        return true;
    }

    private bool TrySave(StatCacheTable saved)
    {
        long records = saved.Records;

        // Each start reads the part of the log that the index does not cover. The index is written again when that part becomes large.
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
            Home = home,
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

    /// <summary>
    /// Ends the use of a table that could not be saved. A damaged cache is deleted; otherwise the saved cache stays as it was.
    /// </summary>
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

    private static string NewName(string kind) => $"{kind}-{TemporaryName.RandomDigits()}";
}
