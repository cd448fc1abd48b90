using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The directory that gets what is written to a mounted commit: <c>upper/</c> has the changed files, <c>work/</c> is overlayfs's own, and
/// <c>commit</c> names the commit, because changes over one commit mean nothing over another.
/// </summary>
internal sealed class ChangesPlace : IDisposable
{
    private const int LongestValue = 255;

    // Locked, so that no other process mounts the same place meanwhile. Afterwards the mount table tells who has it.
    private readonly SafeFileHandle top;
    private readonly SafeFileHandle upper;
    private readonly SafeFileHandle work;
    private readonly string path;

    private ChangesPlace(SafeFileHandle top, SafeFileHandle upper, SafeFileHandle work, string path) =>
        (this.top, this.upper, this.work, this.path) = (top, upper, work, path);

    /// <summary>The upper directory, as an option of a mount names it.</summary>
    internal string Upper => TextOf(upper, "upper");

    /// <summary>The work directory.</summary>
    internal string Work => TextOf(work, "work");

    /// <summary>Opens a place, and makes what is missing of it.</summary>
    /// <param name="store">The store.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="given">The place, as the user named it.</param>
    /// <param name="mountPoint">Where the commit will be mounted.</param>
    internal static ChangesPlace Open(ObjectStore store, Digest commit, string given, string mountPoint)
    {
        Errno errno = Sys.MakeDirectory(Sys.WorkingDirectory, ByteText.FromArgument(given), FileModes.OwnerOnly);
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("mkdirat", given);
        }

        SafeFileHandle top = OpenPath.Directory(given);
        try
        {
            return Open(store, commit, top, given, mountPoint);
        }
        catch
        {
            top.Dispose();
            if (errno == Errno.None)
            {
                _ = Sys.RemoveDirectory(Sys.WorkingDirectory, ByteText.FromArgument(given));
            }

            throw;
        }
    }

    public void Dispose()
    {
        upper.Dispose();
        work.Dispose();
        top.Dispose();
    }

    private static ChangesPlace Open(ObjectStore store, Digest commit, SafeFileHandle top, string given, string mountPoint)
    {
        string path = RealPath.Of(top, given);
        if (path == mountPoint || Roots.IsBelow(path, mountPoint) || Roots.IsBelow(mountPoint, path) || store.Holds(top))
        {
            throw new StoreException($"{given}: the place of the changes must be outside of the mount and of the store");
        }

        Sys.Lock(top, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", given);
        RequireUnused(path, given);
        TakeFor(top, commit, given);
        SafeFileHandle upper = OpenPart(top, "upper"u8, given, out bool isNew);
        try
        {
            if (isNew)
            {
                TreeEntry root = store.Packs.ReadCommit(commit).RootEntry();
                OverlayBase.SetUp(upper, root, root.Xattrs, setsOwner: true, given);
            }

            return new ChangesPlace(top, upper, OpenPart(top, "work"u8, given, out _), path);
        }
        catch
        {
            upper.Dispose();
            throw;
        }
    }

    private static void RequireUnused(string path, string given)
    {
        if (MountTable.OverlaysOf(Path.Combine(path, "upper")).FirstOrDefault() is { } point)
        {
            throw new StoreException($"{given}: the mount at {point} has it");
        }
    }

    /// <summary>Notes the commit in a new place, as the target of a symbolic link, or compares it with that of an old one.</summary>
    private static void TakeFor(SafeFileHandle top, Digest commit, string given)
    {
        byte[] id = ByteText.FromArgument($"{commit}");
        Span<byte> noted = stackalloc byte[2 * Digest.HexLength];
        Errno errno = Sys.ReadLink(top, "commit"u8, noted, out int length);
        if (errno == Errno.ENOENT && Sys.Stat(top, "upper"u8, out _) == Errno.ENOENT)
        {
            Sys.Symlink(id, top, "commit"u8).ThrowIfFailed("symlinkat", $"{given}/commit");
        }
        else if (errno != Errno.None)
        {
            throw new StoreException($"{given}: it has something else in it; give a new directory");
        }
        else if (!noted[..length].SequenceEqual(id))
        {
            throw new StoreException($"{given}: it has changes over commit {ByteText.Quote(noted[..length])}; give another directory");
        }
    }

    private static SafeFileHandle OpenPart(SafeFileHandle top, ReadOnlySpan<byte> name, string given, out bool isNew)
    {
        Errno errno = Sys.MakeDirectory(top, name, FileModes.OwnerOnly);
        isNew = errno == Errno.None;
        if (errno != Errno.EEXIST)
        {
            errno.ThrowIfFailed("mkdirat", given);
        }

        Sys.Open(top, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle part).ThrowIfFailed("openat", given);
        return part;
    }

    /// <summary>
    /// The real path, by which the mount table tells whose layer it is; if an option cannot have that path, the name of the open directory.
    /// </summary>
    private string TextOf(SafeFileHandle part, string name)
    {
        string real = Path.Combine(path, name);
        return real.AsSpan().ContainsAny(@",:\") || ByteText.FromArgument(real).Length > LongestValue
            ? string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{part.DangerousGetHandle()}")
            : real;
    }
}
