using System.Text.Json.Serialization;
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

    /// <summary>See <see cref="CheckedJson"/>.</summary>
    [JsonPropertyOrder(1000)]
    public string Check { get; init; } = CheckedJson.NoCheck;

    private static ReadOnlySpan<byte> Name => "manifest"u8;

    /// <summary>Reads it; null where there is none that is whole and of this version, or something else in its place.</summary>
    internal static StatCacheManifest? TryRead(SafeFileHandle directory, string path)
    {
        try
        {
            byte[]? bytes = AtomicFile.TryRead(directory, Name, $"{path}/manifest", MaxLength);
            StatCacheManifest? manifest = bytes is null ? null : CheckedJson.Decode(bytes, StoreJson.Default.StatCacheManifest, m => m.Check);
            return manifest?.Version == CurrentVersion ? manifest : null;
        }
        catch (Exception e) when (e is IOException or StoreException)
        {
            return null;
        }
    }

    internal void Write(SafeFileHandle directory, string path) =>
        AtomicFile.Write(directory, directory, Name, CheckedJson.Encode(this with { Check = CheckedJson.NoCheck }, StoreJson.Default.StatCacheManifest), $"{path}/manifest");

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
}
