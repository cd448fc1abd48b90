using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>What became of what `fsck --repair` found, in sentences.</summary>
internal static class RepairText
{
    /// <summary>The name of a state in JSON.</summary>
    internal static string NameOf(RepairState state) => state switch
    {
        RepairState.Planned => "planned",
        RepairState.Made => "made",
        RepairState.NotFound => "not-found",
        RepairState.ToPutAside => "to-put-aside",
        RepairState.PutAside => "put-aside",
        RepairState.NotNeeded => "not-needed",
        RepairState.NotRepairable => "not-repairable",
        RepairState.Failed => "failed",
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "a state without a name"),
    };

    /// <summary>"files/ab/...: the object is missing; made again from the roots: r1/usr/bin/ls".</summary>
    internal static string Sentence(RepairItem item)
    {
        string sentence = FindingText.Sentence(item.Problem);
        return item.State == RepairState.NotRepairable ? sentence : $"{sentence}; {Outcome(item)}";
    }

    /// <summary>A line for each ref or root that needs what has no copy: "    debian/bookworm needs it as usr/bin/ls".</summary>
    internal static IEnumerable<string> Needs(RepairItem item) => item.Holdings.Select(holding =>
    {
        string holder = holding.Holder.Kind == HolderKind.Ref ? holding.Holder.Name : $"{Kind(holding.Holder.Kind)} {holding.Holder.Name}";
        string commit = holding.Generations == 0 ? "" : $" (commit {CommitText.Short(holding.Commit)} of its history)";
        string paths = string.Join(", ", holding.Paths.Select(path => ByteText.Quote(path.Span)));
        string more = holding.PathCount > holding.Paths.Count ? $" and {HumanText.Count(holding.PathCount - holding.Paths.Count, "more path")}" : "";
        return $"    {holder}{commit} needs it as {paths}{more}";
    });

    /// <summary>Why an object could not be made, in words.</summary>
    internal static string Why(Exception failure) => failure is StoreException told ? RemedyText.Append(told.Message, told.Remedy) : failure.Message;

    private static string Outcome(RepairItem item) => item.State switch
    {
        RepairState.Planned when item.Problem is Finding.DamagedPack => "what is needed of it would be in other packs, and it would be removed",
        RepairState.Made when item.Problem is Finding.DamagedPack => "what is needed of it is in other packs now, and it was removed",
        RepairState.NotFound when item.Problem is Finding.DamagedPack => "not all that is needed of it is elsewhere, so it stays",
        RepairState.Planned when item.Problem is Finding.DamagedImage => "it would be removed; `hacktree mount` makes it again",
        RepairState.Made when item.Problem is Finding.DamagedImage => "removed; `hacktree mount` makes it again",
        RepairState.Planned when item.Problem is Finding.DamagedRootImage => "it would be made again from the commit",
        RepairState.Made when item.Problem is Finding.DamagedRootImage => "made again from the commit",
        RepairState.Planned => $"would be made again from {Copy(item)}",
        RepairState.Made => $"made again from {Copy(item)}",
        RepairState.NotFound => "there is no good copy",
        RepairState.ToPutAside => $"there is no good copy, so it would be put aside as {item.Aside}",
        RepairState.PutAside => $"there is no good copy, so it was put aside as {item.Aside}",
        RepairState.NotNeeded => "nothing needs it, and `hacktree gc` removes it",
        RepairState.Failed when item.Problem is Finding.DamagedPack => $"not removed: {Why(item.Failure!)}",
        RepairState.Failed => $"not made again: {Why(item.Failure!)}",
        _ => throw new ArgumentOutOfRangeException(nameof(item), item.State, "a state without a sentence"),
    };

    private static string Copy(RepairItem item) => $"{item.Source}: {item.Place}";

    private static string Kind(HolderKind kind) => kind switch
    {
        HolderKind.Root => "root",
        HolderKind.Image => "mounted image",
        _ => "pack",
    };
}
