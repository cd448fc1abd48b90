using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>What `fsck` found, in sentences.</summary>
internal static class FindingText
{
    /// <summary>One line: "files/ab/...: the object is missing; needed by debian/bookworm as usr/bin/ls".</summary>
    internal static string Sentence(Finding finding)
    {
        string sentence = $"{finding.Path}: {Fault(finding)}";
        return finding.NeededBy is { } need ? $"{sentence}; needed by {Who(need)}" : sentence;
    }

    /// <summary>What is wrong with the finding's file, or worth knowing of it.</summary>
    internal static string Fault(Finding finding) => finding switch
    {
        Finding.ForeignFile foreign => Foreign(foreign.Folder),
        Finding.UnreadableDirectory directory => Why(directory.Cause),
        Finding.DamagedObject damaged => string.Join(", ", ObjectFaultText.Of(damaged).Select(fault => fault.Sentence)),
        Finding.UnreadableObject unreadable => $"cannot be read: {Why(unreadable.Cause)}",
        Finding.MissingObject => "the object is missing",
        Finding.DisputedObject => "a tree gives one object two sizes or two sets of attributes",
        Finding.DamagedPack { Lost: > 0 } pack => $"{Why(pack.Cause)}, with {HumanText.Count(pack.Lost, "tree or commit", "trees and commits")} in it",
        Finding.DamagedPack pack => Why(pack.Cause),
        Finding.LostTree lost => $"tree {lost.Tree} {Lost(lost.Cause)}",
        Finding.LostCommit lost => $"commit {lost.Commit} {Lost(lost.Cause)}",
        Finding.LostTip lost => $"names commit {lost.Commit}, which {Lost(lost.Cause)}",
        Finding.DamagedRef damaged => Why(damaged.Cause),
        Finding.BrokenAlias broken => Why(broken.Cause),
        Finding.DamagedRecord damaged => Why(damaged.Cause),
        Finding.DamagedImage damaged => Why(damaged.Cause),
        Finding.DamagedRootImage damaged => $"the root's image {damaged.Place}: {Why(damaged.Cause)}",
        Finding.KeptDamage { HasObject: false } =>
            "it is damaged and was put aside; `hacktree fsck --repair --from PLACE`, or a commit of a tree that has the file, makes the object again",
        Finding.KeptDamage { Links: 0 } => "it was damaged, another inode is the object now, and nothing else has this one; gc removes it",
        Finding.KeptDamage kept =>
            $"it was damaged, and {HumanText.Count(kept.Links, "file is", "files are")} still this inode; "
            + "`hacktree fsck --repair` gives roots the object in its place, and tells of files elsewhere",
        Finding.UnfinishedRoot root =>
            $"the root is being built, or its building was interrupted; gc cleans up{(root.IsInPlace ? "" : " where the store is at home")}",
        Finding.MissingRoot root => $"the root {root.Place} is not there; {WhatBecomesOf(root)}",
        _ => throw new ArgumentOutOfRangeException(nameof(finding), finding, "a finding without a sentence"),
    };

    /// <summary>"debian/bookworm (commit 0123456789abcdef of its history) as usr/bin/ls".</summary>
    internal static string Who(Need need)
    {
        var text = new StringBuilder(need.Holder.Kind == HolderKind.Ref ? need.Holder.Name : $"root {need.Holder.Name}");
        if (!need.OlderCommit.IsNone)
        {
            text.Append(" (commit ").Append(CommitText.Short(need.OlderCommit)).Append(" of its history)");
        }

        return need.PathInTree.IsEmpty ? text.ToString() : text.Append(" as ").Append(ByteText.Quote(need.PathInTree.Span)).ToString();
    }

    /// <summary>A cause in words: "packs/01ab.pack: block 3 does not match its checksum".</summary>
    private static string Why(Cause cause)
    {
        string what = cause switch
        {
            Cause.Damage damage => RemedyText.Append(damage.Fault, damage.Remedy),
            Cause.FailedCall failed => LinuxException.Describe(failed.Errno),
            _ => throw new ArgumentOutOfRangeException(nameof(cause), cause, "a cause without a sentence"),
        };
        return cause.Path is null ? what : $"{cause.Path}: {what}";
    }

    private static string Lost(Cause? cause) => cause is null ? "is missing" : $"cannot be read: {Why(cause)}";

    private static string Foreign(StoreFolder folder) => folder switch
    {
        StoreFolder.Top => "does not belong in a store",
        StoreFolder.Fanout => "not an object's name",
        StoreFolder.Refs => "no ref can have that name",
        StoreFolder.Logs => "not the log of a ref; move it away",
        StoreFolder.Aliases => "not the name of an alias",
        StoreFolder.Roots => "not a root's record",
        StoreFolder.Signatures => "not a commit's signatures",
        StoreFolder.Images => "not the name of an image",
        StoreFolder.Damaged => "not the name of a damaged inode",
        _ => "does not belong there",
    };

    private static string WhatBecomesOf(Finding.MissingRoot root) => root switch
    {
        { IsPinned: true } => "should it never come back, `hacktree roots unpin` and `roots rm` forgets it",
        { IsInPlace: true, IsImage: false } => "gc drops the record",
        _ => "should it never come back, `hacktree roots rm` forgets it",
    };
}
