using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Carries what was changed in the /etc of an old root into the /etc of a new one. docs/etc-merge.md has the rules. What the new /etc becomes depends on
/// the two commits and the old root alone, so a merge that was killed is run again, and a second run changes nothing. Names that neither the commits
/// nor the old root have stay as they are.
/// </summary>
public sealed class EtcMerge
{
    private const int LongestAccounts = 16 * 1024 * 1024;

    private readonly ObjectStore store;
    private readonly EtcRule rule;
    private readonly EtcPlace place;
    private readonly string newEtc;
    private readonly string oldEtc;
    private readonly Stack<EtcLevel> levels = new();
    private readonly List<EtcChange> changes = [];

    /// <summary>Whether text files that both sides changed are merged line by line, where that is clean.</summary>
    private bool MergesText { get; init; }

    private EtcMerge(ObjectStore store, EtcPlace place, string oldEtc, string newEtc)
    {
        this.store = store;
        this.place = place;
        this.oldEtc = oldEtc;
        this.newEtc = newEtc;
        rule = new EtcRule(store.Packs);
    }

    /// <summary>
    /// Merges. An old root of no commit has an empty old /etc. The old root is only read, by descriptors and through no symbolic link. The new root
    /// was checked out with its own /etc. Answers what was done, in the order of paths in each directory. Throws <see cref="StoreException"/> if a
    /// root has no directory /etc, or if the old one changes meanwhile. The caller syncs.
    /// </summary>
    public static IReadOnlyList<EtcChange> Run(ObjectStore store, Digest? oldCommit, string oldRoot, Digest newCommit, string newRoot, bool mergesText = false)
    {
        using SafeFileHandle source = OpenEtc(oldRoot), top = OpenEtc(newRoot);
        string oldEtc = Path.Combine(oldRoot, "etc"), newEtc = Path.Combine(newRoot, "etc");
        using var place = new EtcPlace(store, top, newEtc);
        using var scratch = new ScratchPack(store);
        ImportResult mine = TreeImport.Describe(scratch, oldEtc, new ImportOptions()), now = TreeImport.Describe(scratch, newEtc, new ImportOptions());
        scratch.Attach();
        var merge = new EtcMerge(store, place, oldEtc, newEtc) { MergesText = mergesText };
        merge.Run(EtcOf(store, oldCommit), mine, EtcOf(store, newCommit), now, source, top);
        place.RemoveStage();
        return merge.changes;
    }

    /// <summary>The /etc that a commit has; an entry that does not exist if it has none.</summary>
    internal static TreeEntry EtcOf(ObjectStore store, Digest? commit) =>
        commit is { } known && TreeWalk.TryFind(store.Packs, store.Packs.ReadCommit(known), "etc"u8, out TreeEntry etc) && etc.IsDirectory ? etc : default;

    internal static SafeFileHandle OpenEtc(string root)
    {
        using (SafeFileHandle top = OpenPath.Directory(root))
        {
            Errno errno = Sys.Open(top, "etc"u8, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle etc);
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
            {
                throw new StoreException($"{Path.Combine(root, "etc")}: it is no directory; a merge of /etc needs one in both roots");
            }

            errno.ThrowIfFailed("openat", root);
            return etc;
        }
    }

    private void Run(in TreeEntry old, ImportResult mine, in TreeEntry theirs, ImportResult now, SafeFileHandle source, SafeFileHandle top)
    {
        try
        {
            Push([], old, mine.AsEntry(), theirs, now.AsEntry(), Reopened(top, newEtc), Reopened(source, oldEtc), isTold: false);
            while (levels.TryPeek(out EtcLevel? level))
            {
                store.Stop.ThrowIfCancellationRequested();
                if (level.Next(out byte[] name, out EtcOutcome outcome))
                {
                    Apply(level, name, outcome);
                    continue;
                }

                if (level.NeedsMetadata)
                {
                    place.SetMetadata(level.Place, level.Metadata, level.Xattrs, SubjectOf(newEtc, level.PathOf([])));
                }

                levels.Pop().Dispose();
            }
        }
        finally
        {
            while (levels.TryPop(out EtcLevel? level))
            {
                level.Dispose();
            }
        }
    }

    private static SafeFileHandle Reopened(SafeFileHandle directory, string subject) => DirectoryReader.Reopen(directory, subject);

    private static string SubjectOf(string etc, ReadOnlySpan<byte> path) => path.IsEmpty ? etc : $"{etc}/{ByteText.Quote(path)}";

    private Tree TreeOf(in TreeEntry entry) => entry.IsDirectory ? store.Packs.ReadTree(entry.Digest) : Tree.Empty;

    /// <summary>Begins a directory. Its metadata follow the rule for two changes of one thing.</summary>
    private void Push(
        byte[] path,
        in TreeEntry old,
        in TreeEntry mine,
        in TreeEntry theirs,
        in TreeEntry now,
        SafeFileHandle directory,
        SafeFileHandle? source,
        bool isTold)
    {
        bool takesTheirs = !mine.IsDirectory
            || (theirs.IsDirectory && (EtcRule.HasSameMetadata(mine, theirs) || (old.IsDirectory && EtcRule.HasSameMetadata(mine, old))));
        if (!takesTheirs && theirs.IsDirectory && !(old.IsDirectory && EtcRule.HasSameMetadata(theirs, old)))
        {
            changes.Add(new EtcChange(path, EtcChangeKind.DirectoryMetadata));
        }

        TreeEntry chosen = takesTheirs ? theirs : mine;
        var level = new EtcLevel(path, TreeOf(old), TreeOf(mine), TreeOf(theirs), TreeOf(now))
        {
            Place = directory,
            Source = source,
            IsTold = isTold,
            Metadata = chosen.Metadata,
            Xattrs = chosen.Xattrs.ToArray(),
            NeedsMetadata = !now.IsDirectory || !EtcRule.HasSameMetadata(now, chosen),
        };
        levels.Push(level);
        foreach (byte[] name in level.Names())
        {
            if (!level.IsTop || !name.AsSpan().SequenceEqual(EtcPlace.StageName))
            {
                EtcOutcome outcome = OutcomeOf(level, name);
                level.Plan.Add((name, outcome));
                if (outcome == EtcOutcome.Beside && !IsAccounts(level, name))
                {
                    level.Beside.Add(Encoding.Latin1.GetString(EtcChange.BesideOf(name)));
                }
            }
        }
    }

    private EtcOutcome OutcomeOf(EtcLevel level, byte[] name)
    {
        TreeEntry old = level.Old.Find(name), mine = level.Mine.Find(name), theirs = level.Theirs.Find(name);
        EtcOutcome outcome = rule.Of(level.PathOf(name), old, mine, theirs);
        if (outcome == EtcOutcome.Theirs || level.Source is null || !mine.Exists)
        {
            return outcome;
        }

        // A container's files are often mounted over those of its root. What is below them cannot be seen, and is taken as unchanged.
        return Sys.Stat(level.Source, name, out FileStatus status) == Errno.None && status.IsMountRoot ? EtcOutcome.Theirs : outcome;
    }

    private static bool IsAccounts(EtcLevel level, byte[] name) =>
        level.IsTop && AccountMerge.Knows(name) && level.Mine.Find(name).Kind == EntryKind.Regular && level.Theirs.Find(name).Kind == EntryKind.Regular;

    private void Apply(EtcLevel level, byte[] name, EtcOutcome outcome)
    {
        if (level.Beside.Contains(Encoding.Latin1.GetString(name)))
        {
            return;
        }

        TreeEntry old = level.Old.Find(name), mine = level.Mine.Find(name), theirs = level.Theirs.Find(name);
        switch (outcome)
        {
            case EtcOutcome.Theirs:
                Put(level, name, default, default, theirs);
                break;
            case EtcOutcome.Directory:
                Enter(level, name, old, mine, theirs, isTold: level.IsTold);
                break;
            case EtcOutcome.Mine:
                Report(level, name, mine.Exists ? EtcChangeKind.Mine : EtcChangeKind.Deleted);
                Put(level, name, default, mine, default);
                break;
            case EtcOutcome.MineAlone:
                Report(level, name, EtcChangeKind.ChangedButDropped);
                Put(level, name, old, mine, default);
                break;
            case EtcOutcome.Beside when MergesText && MergeLines(level, name, old, mine, theirs):
                break;
            case EtcOutcome.Beside when IsAccounts(level, name) && MergeAccounts(level, name, old, mine, theirs):
                break;
            default:
                Report(level, name, mine.Exists ? EtcChangeKind.Conflict : EtcChangeKind.DeletedButChanged);
                PutBeside(level, name, theirs);
                Put(level, name, default, mine, default);
                break;
        }
    }

    private void Report(EtcLevel level, byte[] name, EtcChangeKind kind)
    {
        if (!level.IsTold)
        {
            changes.Add(new EtcChange(level.PathOf(name), kind));
        }
    }

    private void PutBeside(EtcLevel level, byte[] name, in TreeEntry theirs)
    {
        byte[] beside = EtcChange.BesideOf(name);
        TreeEntry now = level.NowOf(beside);
        if (theirs.IsDirectory && now.Exists && !rule.IsSame(now, theirs))
        {
            place.Remove(level.Place, beside, SubjectOf(newEtc, level.PathOf(beside)));
            level.Gone.Add(Encoding.Latin1.GetString(beside));
            level.NeedsMetadata = true;
        }

        if (!rule.IsSame(now, theirs))
        {
            Put(level, beside, default, default, theirs);
        }
    }

    /// <summary>Makes a name what one side has: mine if that exists, else theirs, else nothing.</summary>
    private void Put(EtcLevel level, byte[] name, in TreeEntry old, in TreeEntry mine, in TreeEntry theirs)
    {
        TreeEntry wanted = mine.Exists ? mine : theirs, now = level.NowOf(name);
        string subject = SubjectOf(newEtc, level.PathOf(name));
        if (wanted.IsDirectory)
        {
            Enter(level, name, old, mine, theirs, isTold: level.IsTold || !old.Exists);
        }
        else if (!wanted.Exists && now.Exists)
        {
            place.Remove(level.Place, name, subject);
            level.NeedsMetadata = true;
        }
        else if (wanted.Exists && !rule.IsSame(now, wanted))
        {
            place.Make(level.Place, name, wanted, mine.Exists ? level.Source : null, subject);
            level.NeedsMetadata = true;
        }
    }

    private void Enter(EtcLevel level, byte[] name, in TreeEntry old, in TreeEntry mine, in TreeEntry theirs, bool isTold)
    {
        byte[] path = level.PathOf(name);
        string subject = SubjectOf(newEtc, path);
        TreeEntry now = level.NowOf(name);
        level.NeedsMetadata |= !now.IsDirectory;
        place.MakeDirectory(level.Place, name, subject);
        SafeFileHandle directory = EtcPlace.OpenDirectory(level.Place, name, subject);
        SafeFileHandle? source = mine.IsDirectory ? EtcPlace.OpenDirectory(level.Source!, name, SubjectOf(oldEtc, path)) : null;
        Push(path, old, mine, theirs, now, directory, source, isTold);
    }

    /// <summary>Merges a file of accounts; false if it is too long for one.</summary>
    private bool MergeAccounts(EtcLevel level, byte[] name, in TreeEntry old, in TreeEntry mine, in TreeEntry theirs)
    {
        byte[] path = level.PathOf(name);
        if (Math.Max(old.Size, theirs.Size) > LongestAccounts
            || EtcPlace.ReadFile(level.Source!, name, LongestAccounts, SubjectOf(oldEtc, path)) is not { } ours)
        {
            return false;
        }

        Report(level, name, EtcChangeKind.Merged);
        AccountMerge merge = AccountMerge.Run(name, ReadStored(old, path), ours, ReadStored(theirs, path));
        changes.AddRange(merge.Conflicts.Select(account => new EtcChange(path, EtcChangeKind.Account, account)));
        changes.AddRange(merge.Clashes.Select(account => new EtcChange(path, EtcChangeKind.AccountNumber, account)));
        if (merge.Conflicts.Count > 0)
        {
            level.Beside.Add(Encoding.Latin1.GetString(EtcChange.BesideOf(name)));
            PutBeside(level, name, theirs);
        }

        PutMerged(level, name, old, mine, theirs, merge.Merged);
        return true;
    }

    /// <summary>Merges a text file line by line; false if it is none, or if that is not clean.</summary>
    private bool MergeLines(EtcLevel level, byte[] name, in TreeEntry old, in TreeEntry mine, in TreeEntry theirs)
    {
        byte[] path = level.PathOf(name);
        if (IsAccounts(level, name)
            || (old.Kind, mine.Kind, theirs.Kind) != (EntryKind.Regular, EntryKind.Regular, EntryKind.Regular)
            || Math.Max(old.Size, theirs.Size) > LineDiff.LongestText
            || EtcPlace.ReadFile(level.Source!, name, LineDiff.LongestText, SubjectOf(oldEtc, path)) is not { } ours)
        {
            return false;
        }

        string[] texts = [.. new[] { ReadStored(old, path), ours, ReadStored(theirs, path) }.Select(Encoding.Latin1.GetString)];
        if (texts.Any(text => text.Contains('\0', StringComparison.Ordinal)) || LineMerge.Run(texts[0], texts[1], texts[2]) is not { } merged)
        {
            return false;
        }

        Report(level, name, EtcChangeKind.Merged);
        PutMerged(level, name, old, mine, theirs, Encoding.Latin1.GetBytes(merged));
        return true;
    }

    /// <summary>Makes a name a merged file. Mode, owner and attributes are mine if I changed them.</summary>
    private void PutMerged(EtcLevel level, byte[] name, in TreeEntry old, in TreeEntry mine, in TreeEntry theirs, byte[] merged)
    {
        string subject = SubjectOf(newEtc, level.PathOf(name));
        TreeEntry chosen = old.Kind == EntryKind.Regular && EtcRule.HasSameMetadata(mine, old) ? theirs : mine, now = level.NowOf(name);
        bool isThere = now.Kind == EntryKind.Regular && EtcRule.HasSameMetadata(now, chosen) && now.Size == merged.Length
            && EtcPlace.ReadFile(level.Place, name, LongestAccounts, subject).AsSpan().SequenceEqual(merged);
        if (!isThere)
        {
            place.Write(level.Place, name, merged, chosen.Metadata, chosen.Xattrs, subject);
            level.NeedsMetadata = true;
        }
    }

    private byte[] ReadStored(in TreeEntry entry, byte[] path) =>
        entry.Kind == EntryKind.Regular ? store.Blobs.ReadAll(entry, SubjectOf("etc", path)) : [];
}
