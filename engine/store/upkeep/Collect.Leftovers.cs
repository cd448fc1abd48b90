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
        catch (LinuxException e) when (e.Errno is not (Errno.EIO or Errno.EROFS))
        {
            // What one root left (something may be mounted in it), or a disk too full for its record, must not prevent the rest from being freed.
            // The record that it has stays.
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
            RemoveWithCommit(Signatures.NameOf(commit), () => store.Signatures.Remove(commit));
        }
    }

    /// <summary>Removes the images of commits that go. The commit of a mounted image is needed, so it stays.</summary>
    private void SweepImages()
    {
        foreach (StoredImage image in store.Images.List().Where(image => !live.IsLive(PackedKind.Commit, image.Commit)))
        {
            result.BytesFreed += store.Images.LengthOf(image);
            RemoveWithCommit(image.Path, () => store.Images.Remove(image));
        }
    }

    private void RemoveWithCommit(string path, Func<Errno> remove)
    {
        options.OnRemove?.Invoke(path);
        Errno errno = options.DryRun ? Errno.None : remove();
        if (errno is Errno.EPERM or Errno.EACCES or Errno.EBUSY or Errno.EISDIR)
        {
            AddObstacle(new LinuxException(errno, "unlinkat", $"{store.Path}/{path}"));
        }
        else if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", $"{store.Path}/{path}");
        }
    }

    /// <summary>
    /// Removes the damaged inodes of objects that nothing needs, and those that no root can have, because they have no other name. If the object is not
    /// right, the damaged inode may have the only copy of its content. If a repair did not finish, the next one needs to know which inodes it began with.
    /// </summary>
    private void SweepDamaged()
    {
        bool isUnfinished = store.Damaged.IsUnfinished();
        foreach (DamagedInode inode in store.Damaged.List())
        {
            bool isOver = !isUnfinished && store.Damaged.LinksOf(inode) == 0 && store.Blobs.IsRight(inode.Object);
            if (!isOver && liveObjects.Contains(ObjectKey.Of(inode.Object)))
            {
                continue;
            }

            result.LitterRemoved++;
            options.OnRemove?.Invoke(inode.Path);
            Errno errno = options.DryRun ? Errno.None : store.Damaged.Remove(inode);
            if (errno == Errno.EISDIR)
            {
                MoveToTemporary($"{store.Path}/{inode.Path}");
            }
            else if (errno is not (Errno.None or Errno.ENOENT))
            {
                AddObstacle(new LinuxException(errno, "unlinkat", $"{store.Path}/{inode.Path}"));
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
