using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// What the private checkout of a build in a user store does not show: owners, set-id bits of files, attributes that only root sets, devices, and in a
/// user namespace ACLs. An entry that the overlay copied up lacks them too. So they are taken from the stored entry of the same name, unless the command
/// changed them.
/// </summary>
/// <param name="format">The store's policies.</param>
/// <param name="uid">The user whom all files of the checkout belong to.</param>
/// <param name="gid">The group whom they belong to.</param>
internal sealed class UserCheckout(StoreFormat format, uint uid, uint gid)
{
    private static readonly bool ShowsAcls = !Sys.IsInUserNamespace();

    /// <summary>The attributes that a checkout gives to a directory or node whose tree records <paramref name="recorded"/>; canonical bytes both.</summary>
    internal static ReadOnlySpan<byte> Shown(StoreFormat format, ReadOnlySpan<byte> recorded)
    {
        ReadOnlySpan<byte> kept = format.ObjectXattrs(recorded);
        return kept.IsEmpty || !format.UserMode || ShowsAcls ? kept : XattrSet.Where(kept, static name => !StoreFormat.IsAcl(name));
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if a file or directory has an ACL in a user namespace. An object with that ACL would name other users outside.
    /// </summary>
    internal static void RequireNoAcl(ReadOnlySpan<byte> xattrs, object subject)
    {
        if (!ShowsAcls && !XattrSet.Where(xattrs, StoreFormat.IsAcl).IsEmpty)
        {
            throw new StoreException(
                $"{subject}: it has an ACL, which an ordinary user's build cannot record: its users are others in a user namespace than outside; "
                + "remove it in the build (setfacl -b), or build as root");
        }
    }

    /// <summary>
    /// The entry that a commit records. The owner and the group are the stored ones if the entry has those of the checkout; the mode is the stored one if
    /// the entry has the mode that the checkout showed. A file whose owner or content changed has none of the set-id bits and attributes that were not
    /// shown: the kernel takes them from a changed file too. An entry of another kind is new.
    /// </summary>
    internal TreeEntry Restore(scoped in TreeEntry found, scoped in TreeEntry stored)
    {
        if (found.Kind != stored.Kind)
        {
            return found;
        }

        FileMetadata now = found.Metadata, before = stored.Metadata;
        bool isFile = found.Kind == EntryKind.Regular;
        bool keepsRights = now.Uid == uid && now.Gid == gid && (!isFile || found.Digest == stored.Digest);
        ushort mode = before.Mode;
        if (now.Mode != (isFile ? format.ObjectMetadata(before).Mode : before.Mode))
        {
            mode = now.Mode;
        }
        else if (isFile && !keepsRights)
        {
            mode = (ushort)(mode & ~FileModes.SetIds);
        }

        return found with
        {
            Metadata = new FileMetadata(mode, now.Uid == uid ? before.Uid : now.Uid, now.Gid == gid ? before.Gid : now.Gid, now.ModifyTime),
            Xattrs = keepsRights ? WithUnshown(found.Xattrs, stored.Xattrs) : found.Xattrs,
        };
    }

    private static ReadOnlySpan<byte> WithUnshown(ReadOnlySpan<byte> found, ReadOnlySpan<byte> stored)
    {
        ReadOnlySpan<byte> unshown = XattrSet.Where(stored, static name => !StoreFormat.IsSettableByUser(name) || (!ShowsAcls && StoreFormat.IsAcl(name)));
        if (unshown.IsEmpty)
        {
            return found;
        }

        var all = new Dictionary<string, (byte[] Name, byte[] Value)>();
        Add(unshown);
        Add(found);
        return XattrSet.Encode(all.Values);

        void Add(ReadOnlySpan<byte> set)
        {
            while (XattrSet.Next(ref set, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
            {
                all[ByteText.ToArgument(name)] = (name.ToArray(), value.ToArray());
            }
        }
    }
}

/// <summary>A directory's metadata in a stored tree, kept while that of an upper directory is read.</summary>
internal sealed class RecordedDirectory(in TreeEntry entry)
{
    private readonly FileMetadata metadata = entry.Metadata;
    private readonly byte[] xattrs = entry.Xattrs.ToArray();

    internal TreeEntry AsEntry() => new() { Kind = EntryKind.Directory, Metadata = metadata, Xattrs = xattrs };
}
