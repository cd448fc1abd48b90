using System.Buffers.Binary;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Bench.Compare;

/// <summary>
/// Gives every file and directory of a tree what a machine with SELinux and ACLs has: a label, of which there are a few, and an access ACL that
/// names one user.
/// </summary>
internal static class XattrLabels
{
    private const int LabelLength = 30;
    private const ushort OfOwner = 0x01, OfUser = 0x02, OfGroup = 0x04, Mask = 0x10, OfOthers = 0x20;
    private const uint NoId = uint.MaxValue;
    private const uint NamedUser = 1000;
    private const ushort ReadAndSearch = 5;

    private static readonly byte[][] Labels =
        [.. ((string[])["bin", "lib", "etc", "usr", "var"]).Select(type => Encoding.ASCII.GetBytes($"system_u:object_r:{type}_t:s0".PadRight(LabelLength)))];

    internal static void Set(string tree)
    {
        int number = 0;
        var everything = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };
        foreach (string path in Directory.EnumerateFileSystemEntries(tree, "*", everything).Prepend(tree))
        {
            byte[] name = ByteText.FromArgument(path);
            Sys.Stat(Sys.WorkingDirectory, name, out FileStatus status).ThrowIfFailed("statx", path);
            if (status.Type is FileType.Regular or FileType.Directory)
            {
                Sys.SetXattr(Sys.WorkingDirectory, name, "user.label"u8, Labels[number++ % Labels.Length]).ThrowIfFailed("setxattr", path);
                Sys.SetXattr(Sys.WorkingDirectory, name, Xattrs.AccessAcl, Acl(status.Mode)).ThrowIfFailed("setxattr", path);
            }
        }
    }

    /// <summary>An ACL that leaves the mode as it is (acl(5); the kernel's layout is in linux/posix_acl_xattr.h).</summary>
    private static byte[] Acl(uint mode)
    {
        ushort group = (ushort)((mode >> 3) & 7);
        (ushort Tag, ushort Permissions, uint Id)[] entries =
        [
            (OfOwner, (ushort)((mode >> 6) & 7), NoId),
            (OfUser, ReadAndSearch, NamedUser),
            (OfGroup, group, NoId),
            (Mask, group, NoId),
            (OfOthers, (ushort)(mode & 7), NoId),
        ];
        byte[] acl = new byte[4 + (8 * entries.Length)];
        acl[0] = 2;
        for (int i = 0; i < entries.Length; i++)
        {
            Span<byte> entry = acl.AsSpan(4 + (8 * i));
            BinaryPrimitives.WriteUInt16LittleEndian(entry, entries[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[2..], entries[i].Permissions);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], entries[i].Id);
        }

        return acl;
    }
}
