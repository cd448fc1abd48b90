using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// What makes the files of the stat cache readable: cache/manifest, checked JSON. It is replaced atomically, and what it
/// does not name is litter; so a cache is as one run left it, or empty.
/// </summary>
internal sealed record StatCacheManifest
{
    internal const int CurrentVersion = 1;

    private const int MaxLength = 16 * 1024 * 1024;

    /// <summary>The layout of the cache's files, whose sizes it stands for too.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The file of records.</summary>
    public required string Log { get; init; }

    /// <summary>The bytes of it that count.</summary>
    public required long LogLength { get; init; }

    /// <summary>The sums of those, see <see cref="StatCacheFile"/>.</summary>
    public required byte[] LogSums { get; init; }

    /// <summary>The library's name for the state of the log, and what it says of it.</summary>
    public required Guid LogToken { get; init; }

    /// <inheritdoc cref="LogToken"/>
    public required byte[] LogInfo { get; init; }

    /// <summary>Records in the log, also those that later ones stand in for.</summary>
    public required long Records { get; init; }

    /// <summary>The file of the hash table.</summary>
    public required string Index { get; init; }

    /// <inheritdoc cref="LogLength"/>
    public required long IndexLength { get; init; }

    /// <inheritdoc cref="LogSums"/>
    public required byte[] IndexSums { get; init; }

    /// <inheritdoc cref="LogToken"/>
    public required Guid IndexToken { get; init; }

    /// <inheritdoc cref="LogToken"/>
    public required byte[] IndexInfo { get; init; }

    /// <summary>The size of the hash table in memory.</summary>
    public required long IndexSize { get; init; }

    /// <summary>Records that it knows; those behind are found by reading the log's end.</summary>
    public required long IndexedRecords { get; init; }

    /// <summary>The most files that one run asked for since the cache was begun.</summary>
    public required long LargestRun { get; init; }

    private static ReadOnlySpan<byte> Name => "manifest"u8;

    /// <summary>Reads it; null where there is none that is whole and of this version, or something else in its place.</summary>
    internal static StatCacheManifest? TryRead(SafeFileHandle directory, string path)
    {
        try
        {
            byte[]? bytes = AtomicFile.TryRead(directory, Name, $"{path}/manifest", MaxLength);
            StatCacheManifest? manifest = bytes is null ? null : Decode(bytes);
            return manifest?.Version == CurrentVersion ? manifest : null;
        }
        catch (Exception e) when (e is IOException or StoreException)
        {
            return null;
        }
    }

    internal void Write(SafeFileHandle directory, string path) =>
        AtomicFile.Write(directory, directory, Name, Encode(), $"{path}/manifest");

    /// <summary>Removes all that it does not name, or all there is: what a killed run left, and what is no longer wanted.</summary>
    internal static void RemoveOthers(SafeFileHandle directory, string path, StatCacheManifest? manifest)
    {
        if (manifest is null)
        {
            // First of all, so that it never names what is gone.
            Sys.Unlink(directory, Name);
        }

        var reader = new DirectoryReader();
        reader.Start(directory, path);
        while (reader.Next())
        {
            string name = System.Text.Encoding.Latin1.GetString(reader.Name);
            if (name != "lock" && (manifest is null || (name != "manifest" && name != manifest.Log && name != manifest.Index)))
            {
                TreeRemoval.Remove(directory, reader.Name, path);
            }
        }
    }

    private byte[] Encode() => CheckedJson.Encode(json =>
    {
        json.WriteNumber("version", Version);
        json.WriteString("log", Log);
        json.WriteNumber("logLength", LogLength);
        json.WriteBase64String("logSums", LogSums);
        json.WriteString("logToken", LogToken);
        json.WriteBase64String("logInfo", LogInfo);
        json.WriteNumber("records", Records);
        json.WriteString("index", Index);
        json.WriteNumber("indexLength", IndexLength);
        json.WriteBase64String("indexSums", IndexSums);
        json.WriteString("indexToken", IndexToken);
        json.WriteBase64String("indexInfo", IndexInfo);
        json.WriteNumber("indexSize", IndexSize);
        json.WriteNumber("indexedRecords", IndexedRecords);
        json.WriteNumber("largestRun", LargestRun);
    });

    private static StatCacheManifest? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new StatCacheManifest
    {
        Version = json.GetProperty("version").GetInt32(),
        Log = json.GetText("log"),
        LogLength = json.GetProperty("logLength").GetInt64(),
        LogSums = json.GetProperty("logSums").GetBytesFromBase64(),
        LogToken = json.GetProperty("logToken").GetGuid(),
        LogInfo = json.GetProperty("logInfo").GetBytesFromBase64(),
        Records = json.GetProperty("records").GetInt64(),
        Index = json.GetText("index"),
        IndexLength = json.GetProperty("indexLength").GetInt64(),
        IndexSums = json.GetProperty("indexSums").GetBytesFromBase64(),
        IndexToken = json.GetProperty("indexToken").GetGuid(),
        IndexInfo = json.GetProperty("indexInfo").GetBytesFromBase64(),
        IndexSize = json.GetProperty("indexSize").GetInt64(),
        IndexedRecords = json.GetProperty("indexedRecords").GetInt64(),
        LargestRun = json.GetProperty("largestRun").GetInt64(),
    });
}
