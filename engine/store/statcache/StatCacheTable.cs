using System.Diagnostics.CodeAnalysis;
using FASTER.core;
using HackTree.Linux;

namespace HackTree.Store;

/// <summary>
/// The hash table of the stat cache, made with FASTER. This is the only file that uses FASTER. FASTER gets its files from here, and their
/// checksums are compared when it reads. Since an error makes FASTER hang, it is told that every operation succeeded; whether that is true
/// is in <see cref="IsSound"/>.
/// </summary>
/// <remarks>
/// Several threads look up and add without locks (ConcurrencyControlMode.None). This is safe because a record is filled before a
/// compare-and-swap puts it at the head of its chain, and a record is never written again: <see cref="Functions"/> refuses to update in
/// place. So a reader sees a record whole or not at all. If two threads add the same key, one record stands behind the other.
/// </remarks>
internal sealed class StatCacheTable : IDisposable
{
    /// <summary>Bytes of a record: header, key, value.</summary>
    internal const int RecordLength = 104;

    private const int PageSize = 256 * 1024;

    // The part of the log that is kept in memory. The rest is read from the file, which costs five to ten times as much and allocates.
    private const int MemoryPages = 128;
    private const int PreloadedPages = MemoryPages - 16;
    private const long FirstAddress = 64;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly StatCacheFile log;
    private readonly Checkpoints checkpoints;
    private readonly FasterKV<StatCacheKey, StatCacheValue> table;
    private bool isStuck;

    private StatCacheTable(StatCacheFile log, Checkpoints checkpoints, long indexSize)
    {
        this.log = log;
        this.checkpoints = checkpoints;
        var settings = new FasterKVSettings<StatCacheKey, StatCacheValue>
        {
            LogDevice = new Device(log),
            IndexSize = indexSize,
            PageSize = PageSize,
            MemorySize = MemoryPages * PageSize,
            SegmentSize = 1L << 30,
            ConcurrencyControlMode = ConcurrencyControlMode.None,
            EqualityComparer = new Comparer(),
            CheckpointManager = checkpoints,
            RemoveOutdatedCheckpoints = false,
            TryRecoverLatest = false,
        };
        table = new FasterKV<StatCacheKey, StatCacheValue>(settings);
    }

    /// <summary>Whether everything that was read matched its checksum, and everything that was written arrived.</summary>
    internal bool IsSound => !IsDamaged && !log.IsIncomplete && !checkpoints.IsIncomplete && !isStuck;

    /// <summary>Whether something that was read did not match its checksum.</summary>
    internal bool IsDamaged => log.IsDamaged || checkpoints.IsDamaged;

    /// <summary>The length of the log in bytes, in FASTER's addresses.</summary>
    internal long LogLength => table.Log.TailAddress;

    /// <summary>The approximate number of records in the log.</summary>
    internal long Records => (LogLength - FirstAddress) / RecordLength;

    /// <summary>An empty table.</summary>
    internal static StatCacheTable Create(StatCacheFile log, long indexSize) =>
        new(log, new Checkpoints(null, null), indexSize);

    /// <summary>
    /// Opens the table that a manifest names; null if anything is wrong with it. Without an index, or for another size of the index, a new
    /// index is made from the log.
    /// </summary>
    [SuppressMessage("Design", "CA1031", Justification = "Recovery of damaged state fails in any way, and each means the same.")]
    internal static StatCacheTable? TryOpen(StatCacheFile log, StatCacheFile? index, StatCacheManifest manifest, long indexSize)
    {
        StatCacheTable? result = null;
        try
        {
            result = new StatCacheTable(log, new Checkpoints(manifest, index), indexSize);
            result.table.Recover(index is null ? Guid.Empty : manifest.IndexToken, manifest.LogToken, PreloadedPages);
            if (result.IsSound && result.LogLength == manifest.LogLength)
            {
                return result;
            }
        }
        catch (Exception)
        {
        }

        result?.Dispose();
        return null;
    }

    /// <summary>A session for one thread.</summary>
    internal Session NewSession() => new(table);

    /// <summary>
    /// Writes what is new to the log, and the whole index if a file for it is given. No session may be at work. False if that fails: then the
    /// table is no longer sound, but the part of the files that the manifest covers is unchanged.
    /// </summary>
    [SuppressMessage("Design", "CA1031", Justification = "A checkpoint fails in any way, and each means the same.")]
    internal bool Save(StatCacheFile? index)
    {
        checkpoints.NewIndex = index;
        try
        {
            bool isStarted = index is null
                ? table.TryInitiateHybridLogCheckpoint(out _, CheckpointType.FoldOver)
                : table.TryInitiateFullCheckpoint(out _, CheckpointType.FoldOver);

            // FASTER may hang, so it runs on another thread.
            isStuck = !isStarted || !Task.Run(() => table.CompleteCheckpointAsync().AsTask()).Wait(Patience);
        }
        catch (Exception)
        {
            isStuck = true;
        }

        return IsSound;
    }

    /// <summary>The checksums of the log (<see cref="StatCacheFile.Sums"/>).</summary>
    internal byte[] LogSums(long length) => log.Sums(length);

    /// <summary>Removes what was written since the table was opened. Nothing may use the table afterwards.</summary>
    internal void Undo()
    {
        // A table that hangs may go on writing. What it writes behind the log's end does no harm.
        if (!isStuck)
        {
            log.Shorten();
        }
    }

    /// <summary>Puts FASTER's description of the last <see cref="Save"/> into a manifest.</summary>
    internal StatCacheManifest Describe(StatCacheManifest manifest) => manifest with
    {
        LogToken = checkpoints.LogToken,
        LogInfo = checkpoints.LogInfo,
        IndexToken = checkpoints.IndexToken,
        IndexInfo = checkpoints.IndexInfo,
    };

    public void Dispose()
    {
        // Disposing of a table that hangs would wait forever. The process ends soon anyway.
        if (!isStuck)
        {
            table.Dispose();
        }

        checkpoints.Dispose();
        log.Dispose();
    }

    /// <summary>Looks up and adds records, for one thread at a time.</summary>
    internal sealed class Session : IDisposable
    {
        private readonly ClientSession<StatCacheKey, StatCacheValue, StatCacheValue, StatCacheValue, Empty, Functions> session;

        internal Session(FasterKV<StatCacheKey, StatCacheValue> table) =>
            session = table.For(new Functions()).NewSession<Functions>();

        internal bool TryFind(ref StatCacheKey key, out StatCacheValue value)
        {
            value = default;
            Status status = session.Read(ref key, ref value);
            return status.IsPending ? TryFindInFile(out value) : status.Found;
        }

        internal void Add(ref StatCacheKey key, ref StatCacheValue value)
        {
            Status status = session.Upsert(ref key, ref value);
            if (status.IsPending)
            {
                session.CompletePending(wait: true);
            }
        }

        public void Dispose() => session.Dispose();

        /// <summary>
        /// Takes the answer to a look-up that went to the file. The device has answered already; FASTER never fills the reference given to Read.
        /// </summary>
        private bool TryFindInFile(out StatCacheValue value)
        {
            value = default;
            session.CompletePendingWithOutputs(out var completed, wait: true);
            bool isFound = completed.Next() && completed.Current.Status.Found;
            value = isFound ? completed.Current.Output : default;
            completed.Dispose();
            return isFound;
        }
    }

    private sealed class Functions : FunctionsBase<StatCacheKey, StatCacheValue, StatCacheValue, StatCacheValue, Empty>
    {
        public override bool SingleReader(
            ref StatCacheKey key, ref StatCacheValue input, ref StatCacheValue value, ref StatCacheValue dst, ref ReadInfo readInfo)
        {
            dst = value;
            return true;
        }

        public override bool ConcurrentReader(
            ref StatCacheKey key, ref StatCacheValue input, ref StatCacheValue value, ref StatCacheValue dst, ref ReadInfo readInfo)
        {
            dst = value;
            return true;
        }

        /// <summary>Refuses to update in place, so FASTER appends a record.</summary>
        public override bool ConcurrentWriter(
            ref StatCacheKey key, ref StatCacheValue input, ref StatCacheValue src, ref StatCacheValue dst, ref StatCacheValue output,
            ref UpsertInfo upsertInfo) => false;
    }

    private sealed class Comparer : IFasterEqualityComparer<StatCacheKey>
    {
        public long GetHashCode64(ref StatCacheKey k) => k.Hash();

        public bool Equals(ref StatCacheKey k1, ref StatCacheKey k2) => k1 == k2;
    }

    /// <summary>
    /// A file in the form that FASTER wants: segments that follow each other, and operations that are done when the call returns.
    /// </summary>
    private sealed class Device(StatCacheFile file) : StorageDeviceBase("stat cache", SectorLength, Devices.CAPACITY_UNSPECIFIED)
    {
        // The fewest bytes that a look-up in the file reads and copies.
        private const uint SectorLength = 64;

        public override void ReadAsync(
            int segmentId, ulong sourceAddress, nint destinationAddress, uint readLength, DeviceIOCompletionCallback callback,
            object context)
        {
            file.Read(RawMemory.At(destinationAddress, (int)readLength), Offset(segmentId, sourceAddress));
            callback(0, readLength, context);
        }

        public override void WriteAsync(
            nint sourceAddress, int segmentId, ulong destinationAddress, uint numBytesToWrite, DeviceIOCompletionCallback callback,
            object context)
        {
            file.Write(RawMemory.At(sourceAddress, (int)numBytesToWrite), Offset(segmentId, destinationAddress));
            callback(0, numBytesToWrite, context);
        }

        public override void RemoveSegmentAsync(int segment, AsyncCallback callback, IAsyncResult result) => callback(result);

        public override void Dispose()
        {
        }

        private long Offset(int segment, ulong address) => segment == 0 ? (long)address : (segment * segmentSize) + (long)address;
    }

    /// <summary>Keeps for the manifest what FASTER would otherwise keep in directories of its own.</summary>
    private sealed class Checkpoints : ICheckpointManager
    {
        private readonly StatCacheFile? index;

        internal Checkpoints(StatCacheManifest? manifest, StatCacheFile? index)
        {
            this.index = index;
            LogToken = manifest?.LogToken ?? Guid.Empty;
            LogInfo = manifest?.LogInfo ?? [];
            IndexToken = manifest?.IndexToken ?? Guid.Empty;
            IndexInfo = manifest?.IndexInfo ?? [];
        }

        internal Guid LogToken { get; private set; }

        internal byte[] LogInfo { get; private set; }

        internal Guid IndexToken { get; private set; }

        internal byte[] IndexInfo { get; private set; }

        internal StatCacheFile? NewIndex { get; set; }

        internal bool IsDamaged => index?.IsDamaged == true || NewIndex?.IsDamaged == true;

        internal bool IsIncomplete => NewIndex?.IsIncomplete == true;

        public void InitializeIndexCheckpoint(Guid indexToken)
        {
        }

        public void InitializeLogCheckpoint(Guid logToken)
        {
        }

        public void CommitIndexCheckpoint(Guid indexToken, byte[] commitMetadata) => (IndexToken, IndexInfo) = (indexToken, commitMetadata);

        public void CommitLogCheckpoint(Guid logToken, byte[] commitMetadata) => (LogToken, LogInfo) = (logToken, commitMetadata);

        public byte[] GetIndexCheckpointMetadata(Guid indexToken) => IndexInfo;

        public byte[] GetLogCheckpointMetadata(Guid logToken, DeltaLog deltaLog, bool scanDelta = false, long recoverTo = -1) => LogInfo;

        public IDevice GetIndexDevice(Guid indexToken) => Opened(NewIndex ?? index!);

        public IDevice GetDeltaLogDevice(Guid token) => null!;

        public IEnumerable<Guid> GetIndexCheckpointTokens() => [];

        public IEnumerable<Guid> GetLogCheckpointTokens() => [];

        public void CheckpointVersionShift(long oldVersion, long newVersion)
        {
        }

        public void OnRecovery(Guid indexToken, Guid logToken)
        {
        }

        public void Purge(Guid token)
        {
        }

        public void PurgeAll()
        {
        }

        public void CommitLogIncrementalCheckpoint(Guid logToken, long version, byte[] commitMetadata, DeltaLog deltaLog) =>
            throw new NotSupportedException();

        public IDevice GetSnapshotLogDevice(Guid token) => throw new NotSupportedException();

        public IDevice GetSnapshotObjectLogDevice(Guid token) => throw new NotSupportedException();

        public void Dispose()
        {
            index?.Dispose();
            NewIndex?.Dispose();
        }

        private static Device Opened(StatCacheFile file)
        {
            var device = new Device(file);
            device.Initialize(-1);
            return device;
        }
    }
}
