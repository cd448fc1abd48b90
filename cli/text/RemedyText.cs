using HackTree.Store;

namespace HackTree.Cli;

/// <summary>Says with which command the user does what a <see cref="Remedy"/> asks for.</summary>
internal static class RemedyText
{
    /// <summary>An exception's message and its remedy in one sentence.</summary>
    internal static string Sentence(StoreException exception) => Append(exception.Message, exception.Remedy);

    /// <summary>A sentence with the remedy at its end.</summary>
    internal static string Append(string sentence, Remedy? remedy) => remedy is null ? sentence : $"{sentence}; {Of(remedy)}";

    /// <summary>The clause that stands behind a sentence: "run `hacktree fsck`".</summary>
    internal static string Of(Remedy remedy) => remedy switch
    {
        Remedy.CheckStore => "run `hacktree fsck`",
        Remedy.HealObject => "`hacktree fsck` tells what else is damaged, and `hacktree fsck --repair` or a commit of a tree with the right file mends it",
        Remedy.MakeStore make => $"make one with `hacktree --store {make.Path} init`, or name another with --store",
        Remedy.MakeUserStore => "use `hacktree init --user`",
        Remedy.WriteAsRoot => "run as root, or make one with `hacktree init --user`",
        Remedy.RestoreFromCopy => "bring it back from a copy of the store",
        Remedy.RestoreFormat => "restore it from a backup, or from a store made with the same options",
        Remedy.UseNewerProgram => $"this is hacktree {VersionCommand.Number}; use a newer one",
        Remedy.MakeFile make => $"an empty file will do: `touch {make.Path}`",
        Remedy.MakeDirectory make => $"an empty directory will do: `mkdir {(make.IsPrivate ? "-m 700 " : "")}{make.Path}`",
        Remedy.FreeSpace => "free some and try again",
        Remedy.MoveAway foreign => $"move it away, or remove it: `rm {(foreign.IsDirectory ? "-r " : "")}{foreign.Path}`",
        Remedy.LeaveTreeAlone => "commit a tree that nobody writes to",
        Remedy.LeaveOutXattr { Name: { } name } => $"leave it out with --exclude-xattr {name}, or all attributes with --no-xattrs",
        Remedy.LeaveOutXattr => "leave some out with --exclude-xattr GLOB, or all with --no-xattrs",
        Remedy.ClampTimes => "--clamp-times records the nearest time that it holds",
        Remedy.KeepOwnersInTrees => "run as real root, or use a store made with `hacktree init --user`, which has owners in its commits only",
        Remedy.Decompress archive => $"use `{archive.Program} -dc FILE | hacktree commit --tar -`",
        Remedy.ListRefs => "`hacktree refs` lists the refs",
        Remedy.SetRef damaged => $"see {damaged.Log} for where it was, and set it with `hacktree refs set`",
        Remedy.KeepCommit kept => $"push it, or keep it by `hacktree refs set OTHER {kept.Ref}`; then `pull --force` or `delta apply --force` takes the other",
        Remedy.SetAlias => "give it a ref with `hacktree refs alias`, or delete it with `hacktree refs delete`",
        Remedy.LookIntoHistory => "`gc --depth` may have cut the history there, and `hacktree fsck` tells what is damaged",
        Remedy.ListTree tree => $"`hacktree ls {tree.Revision}` shows what is",
        Remedy.ListRoots => "`hacktree roots` lists those there are",
        Remedy.BootAnother => "`hacktree default` makes another root the one that boots",
        Remedy.EndTrial => "`hacktree good` keeps it, and a restart ends a try of it",
        Remedy.Unlock => "`hacktree unlock` makes it writable until the next boot",
        Remedy.RemoveRoot => "`hacktree roots rm` removes one",
        Remedy.UnpinRoot root => $"`hacktree roots unpin {root.Path}` lets it be replaced",
        Remedy.DropRecord => "`hacktree roots rm` forgets it",
        Remedy.RemoveByHand => "remove it by hand, and `hacktree roots rm` then forgets the record",
        Remedy.ReplaceRecord => "remove it, and if the root is still there check it out again",
        Remedy.CheckOutAgain root => $"`hacktree checkout {root.Revision} {root.Path}` makes it again",
        Remedy.ClearAttribute file => $"`chattr -{file.Attribute} {file.Path}` ends that",
        Remedy.NameRoots => "`hacktree roots rm` removes roots by name, and gc without --keep removes none",
        Remedy.FetchRest clone => $"`hacktree --store {clone.Store} pull {clone.Remote}` goes on",
        Remedy.CollectGarbage => "`hacktree gc` removes what is left",
        Remedy.Both both => $"{Of(both.First)}; then {Of(both.Second)}",
        _ => throw new ArgumentOutOfRangeException(nameof(remedy), remedy, "a remedy without a sentence"),
    };
}
