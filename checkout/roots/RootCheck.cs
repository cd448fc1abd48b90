using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>The ways in which a name of a root differs from its commit.</summary>
[Flags]
public enum RootFaults
{
    /// <summary>It does not.</summary>
    None = 0,
    /// <summary>A file has another content.</summary>
    Content = 1,
    /// <summary>A file has another size.</summary>
    Size = 2,
    /// <summary>It has another mode.</summary>
    Mode = 4,
    /// <summary>It has another owner or group.</summary>
    Owner = 8,
    /// <summary>A file has another modification time.</summary>
    Time = 16,
    /// <summary>It has other extended attributes.</summary>
    Attributes = 32,
    /// <summary>A symbolic link leads elsewhere, or a device node has another number.</summary>
    Target = 64,
}

/// <summary>A name of a root that is not as in the root's commit.</summary>
/// <param name="Kind">What happened to the name.</param>
/// <param name="Path">The path in the root; empty for the root itself.</param>
/// <param name="Type">What the name is now, or was if it is gone.</param>
/// <param name="Faults">How it differs, for <see cref="ChangeKind.Modified"/>.</param>
/// <param name="Damaged">The object that the file still is, so that the change damaged the store; null if the store is not touched.</param>
public sealed record RootChange(ChangeKind Kind, byte[] Path, FileType Type, RootFaults Faults, ObjectName? Damaged);

/// <summary>
/// Finds what was changed in a root since it was made. Each name costs one statx. Only directories whose change time is later than the root's
/// seal are listed, and only such files are read: a program can restore a modification time, but not a change time. A checkout or a removal of
/// another root changes the time too, so files that the root shares with a later one are read.
/// </summary>
/// <remarks>
/// The files below /etc of a root that was made to be booted are its own and meant to change. They are left out, and so are its initrd
/// if its commit has none, and filesystems that are mounted in the root.
/// </remarks>
public sealed partial class RootCheck
{
    private readonly ObjectStore store;
    private readonly RootRecord record;
    private readonly long sealedAt;
    private readonly WorkStack<CheckedDirectory> work;
    private readonly List<RootChange> changes = [];
    private long names;

    private RootCheck(ObjectStore store, RootRecord record, string path)
    {
        this.store = store;
        this.record = record;
        Path = path;

        // The record of a root that gc completed has no seal. Then everything is looked at that changed since the checkout began.
        sealedAt = record.SealedAt ?? new FileTime(record.Time, 0).ToNanoseconds();
        work = new WorkStack<CheckedDirectory>(store.Stop);
    }

    /// <summary>The root's absolute path.</summary>
    public string Path { get; }

    /// <summary>What differs, ordered by path.</summary>
    public IReadOnlyList<RootChange> Changes => changes;

    /// <summary>How many names were compared.</summary>
    public long Names => names;

    /// <summary>
    /// Checks the root with this record name or path. Throws <see cref="StoreException"/> if there is no such root, or if another directory is in
    /// its place.
    /// </summary>
    public static RootCheck Run(ObjectStore store, string nameOrPath)
    {
        store.RequireReadable();
        string name = store.Roots.Require(nameOrPath);
        return Check(store, store.Roots.Find(name) ?? throw new StoreException($"{nameOrPath}: another process has just removed it"));
    }

    /// <summary>Checks the root with this record. Throws <see cref="StoreException"/> if another directory is in its place.</summary>
    public static RootCheck Run(ObjectStore store, RootRecord record)
    {
        store.RequireReadable();
        return Check(store, record);
    }

    private static RootCheck Check(ObjectStore store, RootRecord record)
    {
        var check = new RootCheck(store, record, store.Roots.AbsolutePath(record));
        check.Run(store.Packs.ReadCommit(record.Commit));
        return check;
    }

    private void Run(Commit commit)
    {
        using SafeFileHandle top = OpenTop(out FileStatus status);
        TreeEntry made = commit.RootEntry();
        work.Push(new CheckedDirectory(null, made, MetadataFaults(made, status), IsTouched(status, made)) { Handle = top });
        if (IsImage && !RootImage.IsRight(store, record.Commit, top, Path))
        {
            changes.Add(new RootChange(ChangeKind.Modified, ByteText.FromArgument(RootImage.FileName), FileType.Regular, RootFaults.Content, Damaged: null));
        }

        work.RunReaders(() => new Worker(this).Process);
        changes.Sort((left, right) => left.Path.AsSpan().SequenceCompareTo(right.Path));
    }

    private SafeFileHandle OpenTop(out FileStatus status)
    {
        Errno errno = Sys.Open(
            Sys.WorkingDirectory, ByteText.FromArgument(Path), OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        if (errno == Errno.ENOENT)
        {
            throw new StoreException($"{Path}: it is recorded, but not there", new Remedy.DropRecord());
        }

        errno.ThrowIfFailed("openat", Path);
        Sys.Stat(top, out status).ThrowIfFailed("statx", Path);
        if (!record.IsOf(status))
        {
            top.Dispose();
            RootUse.RequireNotHidden(Path, status);
            throw new StoreException($"{Path}: it is not the directory that was checked out there", new Remedy.ListRoots());
        }

        return top;
    }

    private bool IsImage => record.Method == CheckoutMethod.Image;

    private bool IsLater(in FileStatus status) => status.ChangeTime.ToNanoseconds() > sealedAt;

    private bool IsTouched(in FileStatus status, in TreeEntry made) =>
        IsLater(status) || status.ModifyTime != new FileTime(made.Metadata.ModifyTime, 0);

    /// <summary>Whether the checkout left the name out, or made it although the commit does not have it.</summary>
    private bool IsLeftOut(CheckedDirectory directory, ReadOnlySpan<byte> name) =>
        record.OwnsEtc && directory.Parent is null && (name.SequenceEqual("etc"u8) || (IsImage && !ImageRootDirectory.Has(name)));

    /// <summary>Whether the name is that of the root's image, which is compared with the commit as a whole.</summary>
    private bool IsOwnImage(CheckedDirectory directory, ReadOnlySpan<byte> name) =>
        IsImage && directory.Parent is null && name.SequenceEqual(ByteText.FromArgument(RootImage.FileName));

    private bool IsMountPoint(CheckedDirectory directory, ReadOnlySpan<byte> name, FileType type)
    {
        if (!record.OwnsEtc || directory.Parent is not null || type != FileType.Directory)
        {
            return false;
        }

        string text = ByteText.Quote(name);
        return (IsImage && text == "usr") || MountPoints.All.Any(point => point.Name == text);
    }

    /// <summary>Whether the name is that of an initrd which the root got because its commit has none.</summary>
    private bool IsInitrd(CheckedDirectory directory, TreeIndex made, ReadOnlySpan<byte> name, FileType type) =>
        record.OwnsEtc && type == FileType.Regular
        && directory.Parent is { Parent: null } && directory.Name.AsSpan().SequenceEqual("boot"u8)
        && BootFolder.IsOwnInitrd(made, name);

    /// <summary>How an inode's mode and owner differ from what the checkout gave it.</summary>
    private RootFaults MetadataFaults(in TreeEntry made, in FileStatus status)
    {
        if (made.Kind == EntryKind.Symlink)
        {
            return HasOwner(made, status) ? RootFaults.None : RootFaults.Owner;
        }

        bool isLinked = made.Kind == EntryKind.Regular && (record.Method == CheckoutMethod.Hardlink || IsImage);
        ushort mode = isLinked ? store.Format.ObjectMetadata(made.Metadata).Mode : made.Metadata.Mode;
        int compared = store.Format.UserMode ? FileModes.Permissions : FileModes.AllBits;
        return (((mode ^ status.Mode) & compared) == 0 ? RootFaults.None : RootFaults.Mode)
            | (HasOwner(made, status) ? RootFaults.None : RootFaults.Owner);
    }

    private bool HasOwner(in TreeEntry made, in FileStatus status) =>
        store.Format.UserMode || (made.Metadata.Uid == status.Uid && made.Metadata.Gid == status.Gid);

    private bool HasXattrs(SafeFileHandle file, ReadOnlySpan<byte> made, Xattrs xattrs) =>
        store.Format.HoldsXattrs(xattrs.Read(file, Path), made);

    private void Report(RootChange change)
    {
        lock (changes)
        {
            changes.Add(change);
        }
    }
}
