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
internal sealed record RootFinding(string Name, RootEntry Record, RootVerdict Verdict, string? Litter);

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
        Findings.Where(f => f.Verdict != RootVerdict.Drop).Select(f => (f.Name, f.Record.Commit));

    /// <summary>Looks at every record. Throws <see cref="CorruptException"/> for a damaged one.</summary>
    internal void Look()
    {
        var findings = new List<RootFinding>();
        foreach (string name in roots.Names())
        {
            if (roots.Read(name) is { } record)
            {
                findings.Add(record is BuildRecord build ? Judge(name, build) : Judge(name, (RootRecord)record));
            }
        }

        Findings = findings;
    }

    /// <summary>Does what was found to do: removes litter, deletes and completes records. Only for who holds the store's lock alone.</summary>
    internal void Settle(RootFinding finding)
    {
        // The record goes last: after a crash in between, the next gc still knows of the litter.
        if (finding.Litter is { } litter)
        {
            TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(litter), litter);
        }

        if (finding is { Verdict: RootVerdict.Complete, Record: BuildRecord build })
        {
            using RootTurn final = roots.TurnWhileAlone(roots.NameFor(roots.AbsolutePath(build)));
            final.Write(RootRecord.OfUnsealed(build));
        }

        if (finding.Verdict != RootVerdict.Hold)
        {
            using RootTurn turn = roots.TurnWhileAlone(Roots.NameOfRoot(finding.Name));
            turn.Delete(finding.Record);
        }
    }

    private RootFinding Judge(string name, RootRecord record) =>
        new(name, record, record.State == RootState.Ready && IsMissing(roots.AbsolutePath(record)) && roots.IsInPlace(record) ? RootVerdict.Drop : RootVerdict.Hold, Litter: null);

    private RootFinding Judge(string name, BuildRecord record)
    {
        string path = roots.AbsolutePath(record), partial = Roots.PartialPath(path);

        // Nothing is lost with a build record but the knowledge of litter, which went with the directory it stood in.
        if (IsMissing(Path.GetDirectoryName(path)))
        {
            return new RootFinding(name, record, RootVerdict.Drop, Litter: null);
        }

        // The store may have been moved, and its roots with it.
        bool isFinal = IsAt(path, record);
        if (!roots.IsInPlace(record) && !isFinal && !IsAt(partial, record))
        {
            return new RootFinding(name, record, RootVerdict.Hold, Litter: null);
        }

        // The last step of a checkout renames what was built, or lets it change places with the root it replaces.
        bool lacksRecord = record.BecomesRoot && isFinal && !IsRecorded(path, record);
        return new RootFinding(name, record, lacksRecord ? RootVerdict.Complete : RootVerdict.Drop, IsMissing(partial) ? null : partial);
    }

    /// <summary>Whether the directory that was recorded has that path.</summary>
    private static bool IsAt(string path, BuildRecord record) =>
        record.Directory is { } directory
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None
        && directory.IsOf(status);

    /// <summary>Whether the process that made the root had recorded it before it ended. The root may have been pinned since.</summary>
    private bool IsRecorded(string path, BuildRecord build) =>
        roots.FindByPath(path) is { } record && record.Directory?.Inode == build.Directory?.Inode && record.Commit == build.Commit;

    /// <summary>Whether nothing is there. A place that cannot be looked at, for want of rights or for a failing disk, is not missing.</summary>
    private static bool IsMissing(string? path) =>
        path is not null
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out _) is Errno.ENOENT or Errno.ENOTDIR or Errno.ENAMETOOLONG;
}
