using System.Buffers.Binary;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// Makes mode and access control lists of an entry agree, as the kernel does when a list is set (fs/posix_acl.c). In a list, the entries for
/// the owner, for the mask (or the group, if there is no mask) and for others are the permission bits of the mode. An archive may say one
/// thing in its list and another in its mode; then the list counts, as it does for GNU tar. A list that the kernel refuses is left as it is.
/// </summary>
internal static class AclAndMode
{
    private const int HeaderSize = 4;
    private const int EntrySize = 8;
    private const uint Version = 2;
    private const uint NoId = uint.MaxValue;
    private const ushort OwnerTag = 0x01, UserTag = 0x02, GroupTag = 0x04, NamedGroupTag = 0x08, MaskTag = 0x10, OtherTag = 0x20;

    private static ReadOnlySpan<byte> DefaultAcl => "system.posix_acl_default"u8;

    /// <summary>The attributes of an entry as the kernel would keep them, and in <paramref name="mode"/> the mode that results.</summary>
    internal static byte[] Settle(byte[] xattrs, ref ushort mode)
    {
        if (!XattrSet.Contains(xattrs, Xattrs.AccessAcl) && !XattrSet.Contains(xattrs, DefaultAcl))
        {
            return xattrs;
        }

        var settled = new List<(byte[] Name, byte[] Value)>();
        for (ReadOnlySpan<byte> rest = xattrs; XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);)
        {
            bool isAccess = name.SequenceEqual(Xattrs.AccessAcl);
            byte[] kept = value.ToArray();
            if ((isAccess || name.SequenceEqual(DefaultAcl)) && TryReadMode(kept, out ushort permissions, out bool isMode))
            {
                mode = isAccess ? (ushort)((mode & ~FileModes.Permissions) | permissions) : mode;
                if (isMode && isAccess)
                {
                    continue;
                }
            }

            settled.Add((name.ToArray(), kept));
        }

        return XattrSet.Encode(settled);
    }

    /// <summary>The attributes of an entry after chmod(2), which changes the list too: its owner, others, and mask (or group, if there is no mask).</summary>
    internal static byte[] AfterChmod(byte[] xattrs, ushort mode)
    {
        if (!XattrSet.Contains(xattrs, Xattrs.AccessAcl))
        {
            return xattrs;
        }

        var changed = new List<(byte[] Name, byte[] Value)>();
        for (ReadOnlySpan<byte> rest = xattrs; XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);)
        {
            byte[] kept = value.ToArray();
            if (name.SequenceEqual(Xattrs.AccessAcl) && TryReadMode(kept, out _, out bool isMode))
            {
                WriteMode(kept, mode, isMode ? GroupTag : MaskTag);
            }

            changed.Add((name.ToArray(), kept));
        }

        return XattrSet.Encode(changed);
    }

    private static void WriteMode(Span<byte> list, ushort mode, ushort tagOfGroup)
    {
        for (Span<byte> rest = list[HeaderSize..]; !rest.IsEmpty; rest = rest[EntrySize..])
        {
            ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            int shift = tag == OwnerTag ? 6 : tag == tagOfGroup ? 3 : 0;
            if (shift > 0 || tag == OtherTag)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], (ushort)((mode >> shift) & 7));
            }
        }
    }

    /// <summary>
    /// Reads the permissions that a list means, and gives its entries for nobody in particular the id that the kernel gives them. False if
    /// it is no list.
    /// </summary>
    /// <param name="list">The value of the attribute.</param>
    /// <param name="permissions">The nine bits.</param>
    /// <param name="isMode">Whether the list says no more than these bits. The kernel does not store such an access list.</param>
    private static bool TryReadMode(Span<byte> list, out ushort permissions, out bool isMode)
    {
        permissions = 0;
        isMode = true;
        int group = -1, mask = -1;
        if (list.Length < HeaderSize + EntrySize || (list.Length - HeaderSize) % EntrySize != 0 || BinaryPrimitives.ReadUInt32LittleEndian(list) != Version)
        {
            return false;
        }

        for (Span<byte> rest = list[HeaderSize..]; !rest.IsEmpty; rest = rest[EntrySize..])
        {
            ushort bits = BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]);
            switch (BinaryPrimitives.ReadUInt16LittleEndian(rest))
            {
                case OwnerTag when bits <= 7:
                    permissions |= (ushort)(bits << 6);
                    break;
                case GroupTag when bits <= 7:
                    group = bits;
                    break;
                case MaskTag when bits <= 7:
                    mask = bits;
                    isMode = false;
                    break;
                case OtherTag when bits <= 7:
                    permissions |= bits;
                    break;
                case UserTag or NamedGroupTag when bits <= 7:
                    isMode = false;
                    continue;
                default:
                    return false;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], NoId);
        }

        permissions |= (ushort)((mask >= 0 ? mask : Math.Max(group, 0)) << 3);
        return group >= 0 && (mask >= 0 || isMode);
    }
}
