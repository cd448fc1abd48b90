using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Says which files make up the stat cache and what they must contain: cache/manifest, checked JSON. It is replaced atomically, and files
/// that it does not name are deleted. So the cache is either as one run left it, or empty.
/// </summary>
internal sealed record StatCacheManifest
{
    internal const int CurrentVersion = 3;

    private const int MaxLength = 16 * 1024 * 1024;

    /// <summary>The layout of the cache's files, including the sizes of key and value.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Where the cache was written.</summary>
    public required StatCacheHome Home { get; init; }

    /// <summary>The name of the file of records.</summary>
    public required string Log { get; init; }

    /// <summary>The number of bytes of the file that count.</summary>
    public required long LogLength { get; init; }

    /// <summary>The checksums of those bytes (<see cref="StatCacheFile"/>).</summary>
    public required byte[] LogSums { get; init; }

    /// <summary>FASTER's name for the state of the log, and its description of that state.</summary>
    public required Guid LogToken { get; init; }

    /// <inheritdoc cref="LogToken"/>
    public required byte[] LogInfo { get; init; }

    /// <summary>The number of records in the log, including replaced ones.</summary>
    public required long Records { get; init; }

    /// <summary>The name of the file of the hash table.</summary>
    public required string Index { get; init; }

    /// <inheritdoc cref="LogLength"/>
    public required long IndexLength { get; init; }

    /// <inheritdoc cref="LogSums"/>
    public required byte[] IndexSums { get; init; }

    /// <inheritdoc cref="LogToken"/>
    public required Guid IndexToken { get; init; }

    /// <inheritdoc cref="LogToken"/>
    public required byte[] IndexInfo { get; init; }

    /// <summary>The size of the hash table in memory, in bytes.</summary>
    public required long IndexSize { get; init; }

    /// <summary>The number of records in the hash table. Later records are found by reading the end of the log.</summary>
    public required long IndexedRecords { get; init; }

    /// <summary>The largest number of files that one run asked for since the cache was begun.</summary>
    public required long LargestRun { get; init; }

    private static ReadOnlySpan<byte> Name => "manifest"u8;

    /// <summary>Reads the manifest; null if there is none that is whole and of this version.</summary>
    internal static StatCacheManifest? TryRead(SafeFileHandle directory, string path)
    {
        try
        {
            byte[]? bytes = SmallFile.TryRead(directory, Name, $"{path}/manifest", MaxLength);
            StatCacheManifest? manifest = bytes is null ? null : Decode(bytes);
            return manifest?.Version == CurrentVersion ? manifest : null;
        }
        catch (Exception e) when (e is IOException or StoreException)
        {
            return null;
        }
    }

    internal void Write(SafeFileHandle directory, string path) =>
        DurableFile.WriteStaged(directory, directory, Name, Encode(), $"{path}/manifest");

    /// <summary>
    /// Removes every file that the manifest does not name: what a killed run left, and what is no longer needed. Without a manifest it removes
    /// all files.
    /// </summary>
    internal static void RemoveOthers(SafeFileHandle directory, string path, StatCacheManifest? manifest)
    {
        if (manifest is null)
        {
            // The manifest goes first, so that it never names a missing file.
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
        json.WriteNumber("place", Home.Place);
        json.WriteNumber("boot", Home.Session.Boot);
        json.WriteNumber("mount", Home.Session.Mount);
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
        Home = new StatCacheHome(
            json.GetProperty("place").GetUInt64(),
            new MountSession(json.GetProperty("boot").GetUInt64(), json.GetProperty("mount").GetUInt64())),
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
