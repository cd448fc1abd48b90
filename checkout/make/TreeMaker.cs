using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Makes a tree's files in a directory. Directories are work items for every core, parent before child. A regular file is one linkat(2) and
/// nothing else. A directory gets its metadata after everything below it is done: each name made in it changes its time, and a mode without
/// write permission would stop an ordinary user.
/// </summary>
internal sealed class TreeMaker
{
    private const uint SetIdMask = 0xC00;

    private readonly ObjectStore store;
    private readonly CheckoutMethod method;
    private readonly Progress? progress;
    private readonly string destination;
    private readonly WorkStack<MadeDirectory> work;
    private readonly CancellationToken stop;
    private readonly bool restoresOwners;
    private readonly uint uid = Sys.EffectiveUid;
    private readonly uint gid = Sys.EffectiveGid;
    private readonly uint umask = Sys.Umask();
    private long files;

    internal TreeMaker(ObjectStore store, CheckoutMethod method, string destination, Progress? progress, CancellationToken stop)
    {
        this.store = store;
        this.method = method;
        this.destination = destination;
        this.progress = progress;
        this.stop = stop;
        work = new WorkStack<MadeDirectory>(stop);
        restoresOwners = !store.Format.UserMode;
    }

    /// <summary>The commit that the tree belongs to, for messages.</summary>
    internal required Digest Commit { get; init; }

    /// <summary>Whether files below the top's "etc" are copied even if other files are hardlinks.</summary>
    internal bool CopiesEtc { get; init; }

    /// <summary>The names in the top that are made; null for all.</summary>
    internal IReadOnlyCollection<byte[]>? Only { get; init; }

    /// <summary>Counts what could not be restored.</summary>
    internal Unrestored Unrestored { get; init; } = new();

    /// <summary>The number of names that were made, without directories.</summary>
    internal long Files => files;

    /// <summary>
    /// Makes one entry as <paramref name="name"/> in <paramref name="parent"/>. A directory stays empty until <see cref="Run"/>.
    /// </summary>
    internal void Begin(SafeFileHandle parent, ReadOnlySpan<byte> name, in TreeEntry entry) => Begin(parent, name, entry, method);

    /// <summary>Makes one entry, whose files are made by another method than all others.</summary>
    internal void Begin(SafeFileHandle parent, ReadOnlySpan<byte> name, in TreeEntry entry, CheckoutMethod method)
    {
        if (!entry.IsDirectory)
        {
            if (TryMakeEntry(parent, name, entry, destination, method))
            {
                RemoveInheritedAcl(parent, name, entry);
            }

            Count(1, entry.Size);
            return;
        }

        var top = new MadeDirectory(null, entry, name, method);
        MakeDirectory(top, parent);
        try
        {
            OpenNew(top, parent);
        }
        catch (LinuxException)
        {
            // No record tells of it yet. It is empty.
            _ = Sys.RemoveDirectory(parent, name);
            throw;
        }

        work.Push(top);
    }

    // A new directory may inherit default ACLs, the set-gid bit and a group from its parent. All below would inherit them too, so they go.
    private void OpenNew(MadeDirectory top, SafeFileHandle parent)
    {
        Open(top, parent);
        Xattrs.RemoveInheritedAcls(top.Handle, destination);
        Sys.SetOwner(top.Handle, uid, gid).ThrowIfFailed("fchownat", destination);
        Sys.SetMode(top.Handle, FileModes.OwnerOnly).ThrowIfFailed("fchmod", destination);
    }

    /// <summary>Makes everything below the entry.</summary>
    internal void Run() => work.Run(Environment.ProcessorCount, NewWorker);

    /// <summary>
    /// Makes everything below the entries that were begun, on the calling thread. Other threads may begin more entries meanwhile.
    /// </summary>
    internal void RunHere() => work.Run(1, NewWorker);

    private Action<MadeDirectory> NewWorker()
    {
        var buffer = new TreeBuffer();
        return directory => Process(directory, buffer);
    }

    private void Process(MadeDirectory directory, TreeBuffer buffer)
    {
        if (directory.Parent is { } parent)
        {
            Open(directory, parent.Handle);
        }

        long made = 0, bytes = 0;
        foreach (TreeEntry entry in store.Packs.ReadTree(directory.Digest, buffer))
        {
            stop.ThrowIfCancellationRequested();
            if (directory.Parent is null && !IsMade(entry.Name))
            {
                continue;
            }

            if (entry.IsDirectory)
            {
                // The directory is made here and filled by any thread: the kernel adds names to a directory one at a time, so other threads
                // would wait.
                var child = new MadeDirectory(directory, entry, entry.Name, MethodBelow(directory, entry.Name));
                MakeDirectory(child, directory.Handle);
                directory.Expect();
                work.Push(child);
            }
            else
            {
                _ = TryMakeEntry(directory.Handle, entry.Name, entry, directory, directory.Method);
                made++;
                bytes += entry.Size;
            }
        }

        Count(made, bytes);
        for (MadeDirectory? done = directory; done is not null && done.FinishOne(); done = done.Parent)
        {
            Complete(done);
        }
    }

    private bool IsMade(ReadOnlySpan<byte> nameInTop)
    {
        if (Only is null)
        {
            return true;
        }

        foreach (byte[] name in Only)
        {
            if (nameInTop.SequenceEqual(name))
            {
                return true;
            }
        }

        return false;
    }

    private CheckoutMethod MethodBelow(MadeDirectory directory, ReadOnlySpan<byte> name) =>
        CopiesEtc && directory.Parent is null && directory.Method == CheckoutMethod.Hardlink && name.SequenceEqual("etc"u8)
            ? CheckoutMethod.Copy
            : directory.Method;

    /// <summary>Removes an ACL that a new file or node inherited from the destination's directory, unless the commit records one.</summary>
    private void RemoveInheritedAcl(SafeFileHandle parent, ReadOnlySpan<byte> name, in TreeEntry entry)
    {
        bool isLinked = entry.Kind == EntryKind.Regular && method == CheckoutMethod.Hardlink;
        if (!isLinked && entry.Kind != EntryKind.Symlink && !XattrSet.Contains(entry.Xattrs, Xattrs.AccessAcl))
        {
            Xattrs.RemoveInherited(parent, name, Xattrs.AccessAcl, destination);
        }
    }

    private void MakeDirectory(MadeDirectory directory, SafeFileHandle parent)
    {
        // The top stays private until it is whole. Below it, the final permissions do no harm.
        uint mode = directory.Parent is null ? FileModes.OwnerOnly : (uint)(directory.Metadata.Mode & FileModes.Permissions) | FileModes.OwnerOnly;
        Require(Sys.MakeDirectory(parent, directory.Name, mode), "mkdirat", directory, default);
        if ((umask & FileModes.OwnerOnly) != 0)
        {
            Require(Sys.SetMode(parent, directory.Name, (mode & ~umask) | FileModes.OwnerOnly), "fchmodat", directory, default);
        }

        directory.MadeMode = (mode & ~umask) | FileModes.OwnerOnly;
    }

    private void Open(MadeDirectory directory, SafeFileHandle parent)
    {
        Errno errno = Sys.Open(parent, directory.Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle handle);
        Require(errno, "openat", directory, default);
        directory.Handle = handle;
    }

    private void Complete(MadeDirectory directory)
    {
        SafeFileHandle handle = directory.Handle;
        FileMetadata metadata = directory.Metadata;
        bool isOwn = metadata.Uid == uid && metadata.Gid == gid;
        if (!isOwn && restoresOwners)
        {
            Require(Sys.SetOwner(handle, metadata.Uid, metadata.Gid), "fchownat", directory, default);
        }
        else if (!isOwn)
        {
            Unrestored.AddOwner();
        }

        if (directory.Xattrs.Length > 0)
        {
            Xattrs.Set(handle, Settable(directory.Xattrs), Subject(directory, default));
        }

        // A change of owner and an ACL may have changed the directory's mode.
        if (directory.MadeMode != metadata.Mode || (!isOwn && restoresOwners) || directory.Xattrs.Length > 0)
        {
            Require(Sys.SetMode(handle, metadata.Mode), "fchmod", directory, default);
        }

        Require(Sys.SetTime(handle, metadata.ModifyTime), "futimens", directory, default);
        handle.Dispose();
    }

    /// <summary>False for a device in a user store: an ordinary user makes none.</summary>
    private bool TryMakeEntry(SafeFileHandle directory, ReadOnlySpan<byte> name, in TreeEntry entry, object place, CheckoutMethod fileMethod)
    {
        switch (entry.Kind)
        {
            case EntryKind.Regular:
                MakeFile(directory, name, entry, place, fileMethod);
                return true;
            case EntryKind.Symlink:
                Require(Sys.Symlink(entry.Target, directory, name), "symlinkat", place, name);
                break;
            case var _ when !TryMakeNode(directory, name, entry, place):
                return false;
        }

        SetMetadata(directory, name, entry, place);
        return true;
    }

    private void Count(long made, long bytes)
    {
        Interlocked.Add(ref files, made);
        progress?.Add(made, bytes);
    }

    private void MakeFile(SafeFileHandle directory, ReadOnlySpan<byte> name, in TreeEntry entry, object place, CheckoutMethod fileMethod)
    {
        if (!restoresOwners)
        {
            CountUnrestored(entry);
        }

        if (fileMethod != CheckoutMethod.Hardlink)
        {
            FileCopy.Make(store, fileMethod, entry, directory, name, FileOf(place, name));
            return;
        }

        ObjectName objectName = store.Blobs.NameOf(entry);
        Errno errno = store.Blobs.Link(objectName, directory, name);
        if (errno == Errno.EXDEV)
        {
            throw new StoreException(
                $"{destination}: hardlinks need one filesystem (and mount), and the store {store.Path} is on another; "
                + "use --copy, or a place beside the store");
        }

        if (errno == Errno.EPERM && store.Blobs.IsFixed(store.Blobs.NameOf(entry)))
        {
            // Somebody set the attribute in a root, whose file is the object's inode. The object cannot get a new inode either.
            FileCopy.Make(store, CheckoutMethod.Copy, entry, directory, name, FileOf(place, name));
            Unrestored.AddCopy(Subject(place, name));
            return;
        }

        if (errno == Errno.EPERM && !Sys.IsRoot)
        {
            throw new StoreException($"{Subject(place, name)}: only the owner of the store's files may make hardlinks of them here (fs.protected_hardlinks)");
        }

        if (errno == Errno.ENOENT)
        {
            throw store.Blobs.Missing(objectName, FileOf(place, name));
        }

        if (errno != Errno.None)
        {
            throw new LinuxException(errno, "linkat", Subject(place, name));
        }
    }

    private bool TryMakeNode(SafeFileHandle directory, ReadOnlySpan<byte> name, in TreeEntry entry, object place)
    {
        var permissions = (uint)(entry.Metadata.Mode & FileModes.Permissions);
        Errno errno = Sys.MakeNode(directory, name, ObjectInode.TypeOf(entry.Kind), permissions, entry.DeviceMajor, entry.DeviceMinor);
        if (errno == Errno.EPERM && !restoresOwners)
        {
            Unrestored.AddDevice();
            return false;
        }

        Require(errno, "mknodat", place, name);
        return true;
    }

    /// <summary>Sets the metadata of a symbolic link, device or fifo, except for what its creation has set.</summary>
    private void SetMetadata(SafeFileHandle directory, ReadOnlySpan<byte> name, in TreeEntry entry, object place)
    {
        FileMetadata metadata = entry.Metadata;
        if (!restoresOwners)
        {
            CountUnrestored(entry);
        }
        else if (metadata.Uid != uid || metadata.Gid != gid || place is not MadeDirectory)
        {
            // The set-gid bit of the destination's directory may have given the entry another group.
            Require(Sys.SetOwner(directory, name, metadata.Uid, metadata.Gid), "fchownat", place, name);
        }

        if (!entry.Xattrs.IsEmpty)
        {
            Xattrs.Set(directory, name, Settable(entry.Xattrs), Subject(place, name));
        }

        // The mode of a symbolic link cannot be set. The umask or the change of owner may have reduced a node's mode.
        if (entry.Kind != EntryKind.Symlink)
        {
            Require(Sys.SetMode(directory, name, metadata.Mode), "fchmodat", place, name);
        }

        Require(Sys.SetTime(directory, name, metadata.ModifyTime), "utimensat", place, name);
    }

    private ReadOnlySpan<byte> Settable(ReadOnlySpan<byte> recorded)
    {
        ReadOnlySpan<byte> kept = UserCheckout.Shown(store.Format, recorded);
        if (kept.Length != recorded.Length && !restoresOwners)
        {
            Unrestored.AddAttributes();
        }

        return kept;
    }

    private void CountUnrestored(in TreeEntry entry)
    {
        if (entry.Metadata.Uid != uid || entry.Metadata.Gid != gid)
        {
            Unrestored.AddOwner();
        }

        if (entry.Kind == EntryKind.Regular && (entry.Metadata.Mode & SetIdMask) != 0)
        {
            Unrestored.AddSetId();
        }

        if (entry.Kind == EntryKind.Regular && !entry.Xattrs.IsEmpty)
        {
            Settable(entry.Xattrs);
        }
    }

    /// <summary>Throws if the call failed. Only then is the path put together, because a tree may be a million directories deep.</summary>
    private void Require(Errno errno, string call, object place, ReadOnlySpan<byte> name)
    {
        if (errno != Errno.None)
        {
            throw new LinuxException(errno, call, Subject(place, name));
        }
    }

    /// <summary>A file for messages about its object.</summary>
    private CommitFile FileOf(object place, ReadOnlySpan<byte> name)
    {
        byte[] kept = name.ToArray();
        return new CommitFile(Commit, () => Subject(place, kept));
    }

    /// <summary>The name of an entry in messages. Its place is a <see cref="MadeDirectory"/>, or the text of the destination.</summary>
    private string Subject(object place, ReadOnlySpan<byte> name) => place is MadeDirectory directory
        ? directory.Subject(destination, name)
        : name.IsEmpty ? destination : $"{destination}/{ByteText.Quote(name)}";
}
