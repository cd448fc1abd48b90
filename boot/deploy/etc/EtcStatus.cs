using System.Text;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>A name of a root's /etc that is not as in the root's commit.</summary>
/// <param name="Kind">What happened to it.</param>
/// <param name="Path">The path below /etc; empty for /etc itself.</param>
/// <param name="Type">What it is now, or was if it is gone.</param>
public sealed record EtcDifference(ChangeKind Kind, byte[] Path, EntryKind Type)
{
    /// <summary>The text before, empty if the name is new; null if there is no text to show, as of a directory, or no text was asked for.</summary>
    public string? Before { get; init; }

    /// <summary>The text now, empty if the name is gone; null where <see cref="Before"/> is.</summary>
    public string? After { get; init; }
}

/// <summary>Finds what was changed in a root's /etc, which is what <see cref="EtcMerge"/> carries over.</summary>
public static class EtcStatus
{
    /// <summary>Compares a root's /etc with that of its commit. Throws <see cref="StoreException"/> if the root has no directory /etc.</summary>
    public static IReadOnlyList<EtcDifference> Run(ObjectStore store, Digest commit, string root, bool withText = false)
    {
        using SafeFileHandle etc = EtcMerge.OpenEtc(root);
        using var scratch = new ScratchPack(store);
        string place = Path.Combine(root, "etc");
        ImportResult now = TreeImport.Describe(scratch, place, new ImportOptions());
        scratch.Attach();
        var differences = new List<EtcDifference>();
        TreeDiff.Run(store.Packs, EtcMerge.EtcOf(store, commit), now.AsEntry(), (ChangeKind kind, PathBuffer path, in TreeEntry before, in TreeEntry after) =>
        {
            if (kind != ChangeKind.Modified || !EtcRule.IsSameItself(before, after))
            {
                var difference = new EtcDifference(kind, path.Bytes.ToArray(), after.Exists ? after.Kind : before.Kind);
                bool isText = withText && IsFileOrNothing(before) && IsFileOrNothing(after) && before.Digest != after.Digest;
                string subject = $"{place}/{ByteText.Quote(path.Bytes)}";
                differences.Add(isText && TextOf(store, before, subject) is { } old && TextOf(etc, path.Bytes, after, subject) is { } text
                    ? difference with { Before = old, After = text }
                    : difference);
            }
        });
        return differences;
    }

    private static bool IsFileOrNothing(in TreeEntry entry) => !entry.Exists || (entry.Kind == EntryKind.Regular && entry.Size <= LineDiff.LongestText);

    private static string? TextOf(ObjectStore store, in TreeEntry entry, string subject) =>
        entry.Exists ? TextOf(store.Blobs.ReadAll(entry, subject)) : "";

    private static string? TextOf(SafeFileHandle etc, ReadOnlySpan<byte> path, in TreeEntry entry, string subject) =>
        !entry.Exists ? "" : EtcPlace.ReadBelow(etc, path, LineDiff.LongestText, subject) is { } bytes ? TextOf(bytes) : null;

    private static string? TextOf(byte[] bytes) => ByteText.IsUtf8(bytes) && !bytes.AsSpan().Contains((byte)0) ? Encoding.UTF8.GetString(bytes) : null;
}
