using System.IO.Hashing;
using System.Text;
using HackTree.Store;
using HackTree.Tests.Model;
using HackTree.Tests.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Fuzz;

/// <summary>The decoders of model and store.</summary>
internal static class StoreTargets
{
    private static readonly byte[][] RecordWords =
    [
        .. new[]
        {
            "\"state\": ", "\"Complete\"", "\"Building\"", "\"method\": ", "\"Hardlink\"", "\"Copy\"", "\"inode\": ", "\"born\": ", "\"above\": ", "\"sealed\": ",
            "\"boot\": true", "\"isRoot\": true", "\"replaced\": ", "\"\\ud800\"", "null", "{}", "[]", "1e400", "-1", "18446744073709551615",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    public static IEnumerable<FuzzTarget> All(FuzzPlace place) =>
    [
        new("tree", Canonical.Tree),
        new("commit", Canonical.Commit) { Words = Words("\nparent ", "\nmeta a=b", "\nroot-xattrs ", "\ntime -1", "\n\n", "é") },
        new("xattrs", Canonical.Xattrs) { Words = Words("user.", "security.capability", "system.posix_acl_access") },
        new("pack", ReadPack) { Refusals = [typeof(CorruptException)], Seal = PackSeal.Of, MemoryPerByte = 2000 },
        new("ref", bytes => ReadRef(place, bytes)) { Refusals = [typeof(CorruptException)] },
        new("ref-log", ReadLog) { Words = Words("\n", " - ", "commit") },
        new("root-record", ReadRecord) { Seal = SealJson, Words = RecordWords },
        new("store-format", ReadFormat)
        {
            Refusals = [typeof(StoreException)],
            Seal = SealJson,
            Words = Words("\"hacktree\": ", "\"verity\"", "\"verity-required\"", "\"\\ud800\"", "null", "[[]]"),
        },
        new("named-remote", bytes => ReadRemote(place, bytes)) { Refusals = [typeof(CorruptException)], Seal = SealJson, Words = RecordWords },
        new("alias", bytes => ReadAlias(place, bytes)) { Refusals = [typeof(CorruptException)], Seal = SealJson, Words = RecordWords },
        new("stat-cache", bytes => ReadCache(place, bytes)) { Seal = SealJson, Words = [.. RecordWords, .. Words("\"logLength\": -1", "\"logSums\": \"\"", "\"x\": ")] },
    ];

    internal static byte[][] Words(params string[] words) => [.. words.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Puts the checksum of checked JSON right, if the bytes have one.</summary>
    internal static byte[] SealJson(byte[] bytes)
    {
        const int Digits = 16;
        int at = bytes.AsSpan().LastIndexOf("\"check\": \""u8) + "\"check\": \"".Length;
        if (at < "\"check\": \"".Length || at + Digits > bytes.Length)
        {
            return bytes;
        }

        bytes.AsSpan(at, Digits).Fill((byte)'0');
        Encoding.ASCII.GetBytes($"{XxHash3.HashToUInt64(bytes):x16}").CopyTo(bytes, at);
        return bytes;
    }

    private static bool ReadPack(byte[] bytes)
    {
        using PackFile file = TestPack.Open(bytes);
        int last = -1;
        byte[] block = [];
        foreach (IndexRow row in file.RowsInBlockOrder())
        {
            block = row.Block == last ? block : file.ReadBlock(row.Block);
            last = row.Block;
            _ = block.AsSpan(row.Offset, row.Length);
            Assert.True(file.TryFind(row.Digest, out IndexRow found) && found == row);
        }

        return true;
    }

    private static bool ReadRef(FuzzPlace place, byte[] bytes)
    {
        File.WriteAllBytes(Path.Combine(place.Store.Path, "refs", "fuzz"), bytes);
        return !place.Store.Refs.Find("fuzz").IsNone;
    }

    private static bool ReadLog(byte[] bytes)
    {
        string[] lines = Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return Array.TrueForAll(lines, line => RefChange.TryParse(line) is { } change && RefChange.TryParse(change.ToString()) == change);
    }

    private static bool ReadRecord(byte[] bytes)
    {
        RootRecord? root = RootRecord.Decode(bytes);
        BuildRecord? build = BuildRecord.Decode(bytes);
        _ = root?.Encode();
        _ = build?.Encode();
        return root is not null || build is not null;
    }

    private static bool ReadFormat(byte[] bytes)
    {
        var format = StoreFormat.Decode(bytes, "test");
        return StoreFormat.Decode(format.Encode(), "test").Verity == format.Verity;
    }

    private static bool ReadRemote(FuzzPlace place, byte[] bytes)
    {
        Directory.CreateDirectory(Path.Combine(place.Store.Path, "remotes"));
        File.WriteAllBytes(Path.Combine(place.Store.Path, "remotes", "fuzz.json"), bytes);
        return place.Store.Remotes.Find("fuzz") is not null;
    }

    private static bool ReadAlias(FuzzPlace place, byte[] bytes)
    {
        Directory.CreateDirectory(Path.Combine(place.Store.Path, "aliases"));
        File.WriteAllBytes(Path.Combine(place.Store.Path, "aliases", "fuzz=alias.json"), bytes);
        return place.Store.Refs.AliasOf("fuzz/alias") is not null;
    }

    // FASTER gets only files whose sums are right, and who can forge those owns the store. So its own formats are no target.
    private static bool ReadCache(FuzzPlace place, byte[] bytes)
    {
        place.Write("cache/manifest", bytes);
        place.Write("cache/log", new byte[StatCacheFile.StretchLength + 10]);
        using SafeFileHandle directory = OpenPath.Directory(place.At("cache"));
        if (StatCacheManifest.TryRead(directory, "cache") is not { } manifest)
        {
            return false;
        }

        using var file = new StatCacheFile(directory, "log", manifest.LogLength, manifest.LogSums, _ => true);
        file.Read(new byte[1000], 0);
        _ = file.Sums(Math.Clamp(manifest.LogLength, 0, FuzzTarget.MaxLength));
        return true;
    }
}
