using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <content>What interrupted commands left: unfinished roots, and files in tmp/.</content>
public sealed partial class Collect
{
    private void SweepRoots()
    {
        foreach (RootFinding finding in holders.Roots.Findings)
        {
            store.Stop.ThrowIfCancellationRequested();
            if (finding.Litter is { } litter)
            {
                result.LitterRemoved++;
                options.OnRemove?.Invoke(litter);
            }

            if (finding.Verdict == RootVerdict.Drop)
            {
                result.RootRecordsDropped++;
                options.OnRemove?.Invoke($"roots/{finding.Name}.json");
            }

            result.RootRecordsCompleted += finding.Verdict == RootVerdict.Complete ? 1 : 0;
            if (!options.DryRun)
            {
                Settle(finding);
            }
        }
    }

    private void Settle(RootFinding finding)
    {
        try
        {
            holders.Roots.Settle(finding, MoveToTemporary);
        }
        catch (LinuxException e) when (e.Errno is not (Errno.EIO or Errno.ENOSPC or Errno.EROFS))
        {
            // What one root left (something may be mounted in it) must not prevent the rest from being freed. Its record stays.
            AddObstacle(e);
        }
    }

    /// <summary>
    /// Moves what a killed checkout left into tmp/, to be removed after the sweep. On another filesystem, or if the directory cannot be moved, it
    /// is removed at once.
    /// </summary>
    private void MoveToTemporary(string litter)
    {
        byte[] path = ByteText.FromArgument(litter);
        byte[] fresh = [.. "removed-"u8, .. TemporaryName.New()];
        if (Sys.RenameNew(Sys.WorkingDirectory, path, store.Temporary, fresh) == Errno.None)
        {
            doomed.Add(fresh);
        }
        else
        {
            ParallelRemoval.Remove(Sys.WorkingDirectory, path, litter);
        }
    }

    /// <summary>Removes large leftovers, on every core. If a request to stop comes, the next gc finds the rest.</summary>
    private void RemoveDoomed()
    {
        foreach (byte[] name in doomed)
        {
            if (!ParallelRemoval.TryRemove(store.Temporary, name, $"{store.Path}/tmp/{ByteText.Quote(name)}", AddObstacle, store.Stop))
            {
                store.Stop.ThrowIfCancellationRequested();
            }
        }
    }

    private void SweepSignatures()
    {
        foreach (Digest commit in store.Signatures.List().Where(commit => !live.IsLive(PackedKind.Commit, commit)))
        {
            options.OnRemove?.Invoke(Signatures.NameOf(commit));
            Errno errno = options.DryRun ? Errno.None : store.Signatures.Remove(commit);
            if (errno is Errno.EPERM or Errno.EACCES or Errno.EBUSY or Errno.EISDIR)
            {
                AddObstacle(new LinuxException(errno, "unlinkat", $"{store.Path}/{Signatures.NameOf(commit)}"));
            }
            else if (errno != Errno.ENOENT)
            {
                errno.ThrowIfFailed("unlinkat", $"{store.Path}/{Signatures.NameOf(commit)}");
            }
        }
    }

    private void SweepTemporary()
    {
        // No other process uses the store, so nobody will name the files that wait there.
        using SafeFileHandle directory = DirectoryReader.Reopen(store.Temporary, $"{store.Path}/tmp");
        var reader = new DirectoryReader();
        reader.Start(directory, $"{store.Path}/tmp");
        while (reader.Next())
        {
            if ((keepsDoubt && Doubt.IsAdoptingMark(reader.Name)) || IsDoomed(reader.Name) || holders.Roots.IsHeldTurn(reader.Name))
            {
                // The mark makes the next commit that has the content replace the object. The turn belongs to a build.
                continue;
            }

            store.Stop.ThrowIfCancellationRequested();
            string subject = $"tmp/{ByteText.Quote(reader.Name)}";
            result.LitterRemoved++;
            options.OnRemove?.Invoke(subject);
            if (!options.DryRun)
            {
                RemoveTemporary(directory, reader.Name, $"{store.Path}/{subject}");
            }
        }
    }

    private bool IsDoomed(ReadOnlySpan<byte> name)
    {
        foreach (byte[] other in doomed)
        {
            if (name.SequenceEqual(other))
            {
                return true;
            }
        }

        return false;
    }

    private void RemoveTemporary(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject)
    {
        Errno errno = Sys.Unlink(directory, name);
        if (EmptiedDirectory.IsDirectory(errno, directory, name))
        {
            doomed.Add(name.ToArray());
        }
        else if (errno is Errno.EPERM or Errno.EACCES or Errno.EBUSY)
        {
            AddObstacle(new LinuxException(errno, "unlinkat", subject));
        }
        else if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", subject);
        }
    }
}
