using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>What becomes of one name of /etc.</summary>
internal enum EtcOutcome
{
    /// <summary>As the new commit has it, which may be: not at all.</summary>
    Theirs,
    /// <summary>As the old root has it, which may be: not at all.</summary>
    Mine,
    /// <summary>Both are directories, which are merged name by name.</summary>
    Directory,
    /// <summary>The new commit dropped it: mine stays.</summary>
    MineAlone,
    /// <summary>Mine, or nothing if I deleted it, and theirs beside.</summary>
    Beside,
}

/// <summary>
/// The rule of the merge, for one name in three states: as the old commit has it, as the old root has it (mine), and as the new commit has it
/// (theirs). docs/etc-merge.md has it as a table. Times are no change.
/// </summary>
internal sealed class EtcRule(Packs packs)
{
    /// <summary>The outcome for a path below /etc.</summary>
    internal EtcOutcome Of(ReadOnlySpan<byte> path, in TreeEntry old, in TreeEntry mine, in TreeEntry theirs) =>
        IsOfMachine(path) && mine.Exists && mine.Size > 0 && !IsSame(mine, theirs) ? EtcOutcome.Mine
        : path.SequenceEqual("ld.so.cache"u8) ? EtcOutcome.Theirs
        : Of(old, mine, theirs);

    /// <summary>Whether the file tells which machine this is. An update does not make it another one.</summary>
    private static bool IsOfMachine(ReadOnlySpan<byte> path) =>
        path.SequenceEqual("machine-id"u8) || path.SequenceEqual("hostname"u8) || path.StartsWith("ssh/ssh_host_"u8);

    private EtcOutcome Of(in TreeEntry old, in TreeEntry mine, in TreeEntry theirs) =>
        mine.IsDirectory && theirs.IsDirectory ? EtcOutcome.Directory
        : IsSame(mine, theirs) || IsSame(mine, old) ? EtcOutcome.Theirs
        : IsSame(theirs, old) ? EtcOutcome.Mine
        : theirs.Exists ? EtcOutcome.Beside
        : EtcOutcome.MineAlone;

    /// <summary>Whether two entries are the same but for times, with all that is below them. Names are not compared.</summary>
    internal bool IsSame(in TreeEntry one, in TreeEntry other)
    {
        if (!IsSameItself(one, other))
        {
            return false;
        }

        var pairs = new Stack<(Digest One, Digest Other)>();
        if (one.IsDirectory)
        {
            pairs.Push((one.Digest, other.Digest));
        }

        while (pairs.TryPop(out (Digest One, Digest Other) pair))
        {
            if (pair.One == pair.Other)
            {
                continue;
            }

            var trees = new TreePair(packs.ReadTree(pair.One), packs.ReadTree(pair.Other));
            while (trees.Next(out TreeEntry left, out TreeEntry right))
            {
                if (!IsSameItself(left, right))
                {
                    return false;
                }

                if (left.IsDirectory)
                {
                    pairs.Push((left.Digest, right.Digest));
                }
            }
        }

        return true;
    }

    /// <summary>Whether mode, owner and attributes are the same.</summary>
    internal static bool HasSameMetadata(in TreeEntry one, in TreeEntry other) =>
        one.Metadata with { ModifyTime = 0 } == other.Metadata with { ModifyTime = 0 } && one.Xattrs.SequenceEqual(other.Xattrs);

    /// <summary>Whether two entries are the same but for times. Of directories it looks at nothing below.</summary>
    internal static bool IsSameItself(in TreeEntry one, in TreeEntry other) =>
        one.Kind == other.Kind
        && HasSameMetadata(one, other)
        && (one.IsDirectory || one.Digest == other.Digest)
        && one.Size == other.Size
        && (one.DeviceMajor, one.DeviceMinor) == (other.DeviceMajor, other.DeviceMinor)
        && one.Target.SequenceEqual(other.Target);
}
