using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>What gc makes of a root's record.</summary>
internal enum RootVerdict
{
    /// <summary>The root is there: its commit is needed.</summary>
    Hold,
    /// <summary>The root is gone, or was never finished: the record goes.</summary>
    Drop,
    /// <summary>The root was finished, but its maker died before saying so: the record becomes Ready.</summary>
    Complete,
}

/// <summary>A record, what becomes of it, and the path of the abandoned directory beside the root, null for none.</summary>
internal sealed record RootFinding(string Name, RootRecord Record, RootVerdict Verdict, string? Litter);

/// <summary>
/// Compares the records of roots with what is there. Only while no other process uses the store is what it finds of
/// unfinished roots certain: then nobody is building them.
/// </summary>
internal sealed class RootSurvey(Roots roots)
{
    /// <summary>What the last look found.</summary>
    internal IReadOnlyList<RootFinding> Findings { get; private set; } = [];

    /// <summary>The commits that roots need, and the names of their records.</summary>
    internal IEnumerable<(string Name, Digest Commit)> Held =>
        Findings.Where(f => f.Verdict != RootVerdict.Drop).Select(f => (f.Name, Digest.TryParse(f.Record.Commit, out Digest commit) ? commit : default));

    /// <summary>Looks at every record. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    internal void Look()
    {
        var findings = new List<RootFinding>();
        foreach (string name in roots.Names())
        {
            if (roots.Find(name) is { } record)
            {
                findings.Add(Judge(name, record));
            }
        }

        Findings = findings;
    }

    /// <summary>Does what was found to do: removes litter and records, completes records.</summary>
    internal void Settle(RootFinding finding)
    {
        // The record goes last: after a crash in between, the next gc still knows of the litter.
        if (finding.Litter is { } litter)
        {
            TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(litter), litter);
        }

        string name = finding.Verdict == RootVerdict.Complete ? roots.NameFor(roots.AbsolutePath(finding.Record)) : finding.Name;
        if (finding.Verdict == RootVerdict.Complete)
        {
            roots.Write(name, finding.Record with { State = RootState.Ready, IsRoot = null });
        }

        if (finding.Verdict == RootVerdict.Drop || name != finding.Name)
        {
            roots.Remove(finding.Name);
        }
    }

    private RootFinding Judge(string name, RootRecord record)
    {
        string path = roots.AbsolutePath(record);
        return record.State switch
        {
            // Nothing is lost with a partial record but the knowledge of litter, which went with the directory it stood in.
            RootState.Partial when IsMissing(Path.GetDirectoryName(path)) => new RootFinding(name, record, RootVerdict.Drop, null),

            // The store may have been moved, and its roots with it.
            RootState.Partial when roots.IsInPlace(record) || IsAt(Roots.PartialPath(path), record) || IsAt(path, record) => JudgePartial(name, record, path),
            RootState.Ready when IsMissing(path) && roots.IsInPlace(record) => new RootFinding(name, record, RootVerdict.Drop, null),
            _ => new RootFinding(name, record, RootVerdict.Hold, null),
        };
    }

    private RootFinding JudgePartial(string name, RootRecord record, string path)
    {
        string partial = Roots.PartialPath(path);
        string? litter = IsMissing(partial) ? null : partial;

        // The last step of a checkout renames what was built, or lets it change places with the root it replaces.
        bool isFinished = record.IsRoot != false && IsAt(path, record);
        return new RootFinding(name, record, isFinished && !IsRecorded(path, record) ? RootVerdict.Complete : RootVerdict.Drop, litter);
    }

    /// <summary>Whether the directory that was recorded has that path.</summary>
    private static bool IsAt(string path, RootRecord record) =>
        record.Inode is not null
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None
        && record.IsOf(status);

    /// <summary>Whether its maker had said that the root is finished before he died. It may have been pinned since.</summary>
    private bool IsRecorded(string path, RootRecord partial) =>
        roots.FindByPath(path) is { State: not RootState.Partial } record && record.Inode == partial.Inode && record.Commit == partial.Commit;

    /// <summary>Whether nothing is there. A place that cannot be looked at, for want of rights or for a failing disk, is not missing.</summary>
    private static bool IsMissing(string? path) =>
        path is not null
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out _) is Errno.ENOENT or Errno.ENOTDIR or Errno.ENAMETOOLONG;
}
