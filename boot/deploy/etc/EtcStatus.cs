using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>A name of a root's /etc that is not as in the root's commit.</summary>
/// <param name="Kind">What happened to it.</param>
/// <param name="Path">The path below /etc; empty for /etc itself.</param>
/// <param name="Type">What it is now, or was if it is gone.</param>
public sealed record EtcDifference(ChangeKind Kind, byte[] Path, EntryKind Type);

/// <summary>Finds what was changed in a root's /etc, which is what <see cref="EtcMerge"/> carries over.</summary>
public static class EtcStatus
{
    /// <summary>Compares a root's /etc with that of its commit. Throws <see cref="StoreException"/> if the root has no directory /etc.</summary>
    public static IReadOnlyList<EtcDifference> Run(ObjectStore store, Digest commit, string root)
    {
        using SafeFileHandle etc = EtcMerge.OpenEtc(root);
        using var scratch = new ScratchPack(store);
        ImportResult now = TreeImport.Describe(scratch, System.IO.Path.Combine(root, "etc"), new ImportOptions());
        scratch.Attach();
        var differences = new List<EtcDifference>();
        TreeDiff.Run(store.Packs, EtcMerge.EtcOf(store, commit), now.AsEntry(), (ChangeKind kind, PathBuffer path, in TreeEntry before, in TreeEntry after) =>
        {
            if (kind != ChangeKind.Modified || !EtcRule.IsSameItself(before, after))
            {
                differences.Add(new EtcDifference(kind, path.Bytes.ToArray(), after.Exists ? after.Kind : before.Kind));
            }
        });
        return differences;
    }
}
