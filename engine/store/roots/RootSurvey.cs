using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>What gc does with a root's record.</summary>
internal enum RootVerdict
{
    /// <summary>The root exists, or is being built, so its commit is needed.</summary>
    Hold,
    /// <summary>The root is gone or was never finished, so the record is deleted.</summary>
    Drop,
    /// <summary>The root was finished, but its maker ended before it wrote the root's record. gc writes it.</summary>
    Complete,
}

/// <summary>A record, what to do with it, and the path of the abandoned directory beside the root; null if there is none.</summary>
internal sealed record RootFinding(string Name, RootEntry Record, RootVerdict Verdict, string? Litter)
{
    /// <summary>Whether a process holds the directory of a build record, without the store's lock (<see cref="ObjectStore.RunUnlocked"/>).</summary>
    internal bool IsHeld { get; init; }

    /// <summary>
    /// Whether the root was an image and is no longer where it was made. It may have been moved, and then it still needs the store's objects, which it has
    /// no hardlinks to.
    /// </summary>
    internal bool IsMissingImage { get; init; }
}

/// <summary>
/// Compares the records of roots with the directories that exist. What it finds about unfinished roots is certain only while no other
/// process uses the store, because then nobody is building them. A build that has given up the store's lock holds its directory.
/// </summary>
internal sealed class RootSurvey(Roots roots)
{
    /// <summary>The results of the last look.</summary>
    internal IReadOnlyList<RootFinding> Findings { get; private set; } = [];

    /// <summary>The commits that roots need, and the names of their records.</summary>
    internal IEnumerable<(string Name, Digest Commit)> Held =>
        Findings.Where(f => f.Verdict != RootVerdict.Drop).Select(f => (f.Name, f.Record.Commit));

    /// <summary>The records that the last look could not read, and why. A root needs its record for nothing that cannot be made again.</summary>
    internal IReadOnlyList<(string Name, CorruptException Why)> Damaged { get; private set; } = [];

    /// <summary>Whether a name in tmp/ is the turn of a process that holds the directory of a build record.</summary>
    internal bool IsHeldTurn(ReadOnlySpan<byte> name)
    {
        foreach (RootFinding finding in Findings)
        {
            if (finding.IsHeld && name.SequenceEqual(RootTurn.LockName(Roots.NameOfRoot(finding.Name))))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Looks at every record.</summary>
    internal void Look()
    {
        var findings = new List<RootFinding>();
        var damaged = new List<(string Name, CorruptException Why)>();
        foreach (string name in roots.Names())
        {
            try
            {
                if (roots.Read(name) is { } record)
                {
                    findings.Add(record is BuildRecord build ? Judge(name, build) : Judge(name, (RootRecord)record));
                }
            }
            catch (CorruptException e)
            {
                damaged.Add((name, e));
            }
        }

        (Findings, Damaged) = (findings, damaged);
    }

    /// <summary>
    /// Does what a finding asks for: removes litter, deletes or completes the record. The caller must hold the store's lock exclusively.
    /// <paramref name="remove"/> removes the litter, or moves it where the next gc finds it.
    /// </summary>
    internal void Settle(RootFinding finding, Action<string> remove)
    {
        // The record goes last, so that after a crash in between the next gc still knows of the litter.
        if (finding.Litter is { } litter)
        {
            remove(litter);
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

    private RootFinding Judge(string name, RootRecord record)
    {
        bool isGone = IsGone(record), isImage = record.Method == CheckoutMethod.Image;
        return new RootFinding(name, record, isGone && !isImage ? RootVerdict.Drop : RootVerdict.Hold, Litter: null) { IsMissingImage = isGone && isImage };
    }

    private bool IsGone(RootRecord record) =>
        record.State == RootState.Ready && IsMissing(roots.AbsolutePath(record)) && roots.IsInPlace(record);

    private RootFinding Judge(string name, BuildRecord record)
    {
        string path = roots.AbsolutePath(record), partial = Roots.PartialPath(path);

        if (record.IsAt(partial) && IsHeld(partial))
        {
            return new RootFinding(name, record, RootVerdict.Hold, Litter: null) { IsHeld = true };
        }

        // If the directory above is gone, the litter is gone too, and the build record has no further use.
        if (IsMissing(Path.GetDirectoryName(path)))
        {
            return new RootFinding(name, record, RootVerdict.Drop, Litter: null);
        }

        // The store may have been moved together with its roots.
        if (!roots.IsInPlace(record) && !record.IsAt(path) && !record.IsAt(partial))
        {
            return new RootFinding(name, record, RootVerdict.Hold, Litter: null);
        }

        // The last step of a checkout renames the built directory, or exchanges it with the root that it replaces.
        RootVerdict verdict = roots.LacksRecord(record) ? RootVerdict.Complete : RootVerdict.Drop;
        return new RootFinding(name, record, verdict, IsLitter(partial, path, record) ? partial : null);
    }

    /// <summary>
    /// Whether what has the partial name is what the record tells of. If the record has no directory yet, its maker may just have made one, which is
    /// empty. Everything else is somebody else's, and stays. What is below a mount cannot be seen: the removal fails there, and the record stays.
    /// </summary>
    private bool IsLitter(string partial, string path, BuildRecord record) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(partial), out FileStatus status) == Errno.None
        && (status.IsMountRoot
            || record.Owns(status, roots.FindByPath(path))
            || (record.Directory is null && status.Type == FileType.Directory && IsEmpty(partial)));

    private static bool IsEmpty(string path)
    {
        try
        {
            return !Directory.EnumerateFileSystemEntries(path).Any();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool IsHeld(string partial)
    {
        Errno errno = Sys.Open(
            Sys.WorkingDirectory, ByteText.FromArgument(partial), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle directory);
        using (directory)
        {
            return errno == Errno.None && Sys.Lock(directory, LockKind.Shared, wait: false) == Errno.EAGAIN;
        }
    }

    /// <summary>
    /// Whether nothing has that path. A path that cannot be looked up, for lack of rights or on a failing disk, is not missing.
    /// </summary>
    private static bool IsMissing(string? path) =>
        path is not null
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out _) is Errno.ENOENT or Errno.ENOTDIR or Errno.ENAMETOOLONG;
}
