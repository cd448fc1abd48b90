using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Support;

/// <summary>The families of files that differ in their inodes' values other than content and mode.</summary>
internal sealed partial class AwkwardTree
{
    private void MakeSpecialFiles()
    {
        using SafeFileHandle special = NewDirectory(top, "special"u8);
        Ok(Sys.MakeNode(special, "fifo"u8, FileType.Fifo, Mode("0600"), 0, 0));
        Ok(Sys.SetMode(special, "fifo"u8, Mode("1622")));
        Try("a whiteout", Sys.MakeNode(special, "whiteout"u8, FileType.CharacterDevice, 0, 0, 0));
        Errno errno = Sys.MakeNode(special, "null"u8, FileType.CharacterDevice, Mode("0600"), 1, 3);
        Try("devices", errno);
        if (errno == Errno.None)
        {
            Ok(Sys.SetMode(special, "null"u8, Mode("0666")));
            Ok(Sys.SetTime(special, "null"u8, 1234567890));
            Ok(Sys.MakeNode(special, "large character"u8, FileType.CharacterDevice, Mode("0600"), 511, 262143));
            Try("the largest device numbers", Sys.MakeNode(special, "largest block"u8, FileType.BlockDevice, Mode("0660"), 4095, 1048575));
            Ok(Sys.MakeNode(special, "block 0:0"u8, FileType.BlockDevice, Mode("0000"), 0, 0));
        }
    }

    private void MakeAttributes()
    {
        using SafeFileHandle attributes = NewDirectory(top, "attributes"u8);
        MakeFile(attributes, "file"u8, "with attributes"u8);
        if (!Try("user attributes", Sys.SetXattr(attributes, "file"u8, "user.binary"u8, [.. Enumerable.Range(0, 256).Select(i => (byte)i)])))
        {
            return;
        }

        Ok(Sys.SetXattr(attributes, "file"u8, "user.empty"u8, []));
        Ok(Sys.SetXattr(attributes, "file"u8, [.. "user."u8, 0xFF, (byte)'\n', (byte)'='], "odd name"u8));
        Ok(Sys.SetXattr(attributes, "file"u8, "user.long"u8, Content.Of(2000)));
        Ok(Sys.SetXattr(attributes, "user.directory"u8, "of a directory"u8));

        // Some filesystems accept only long ones.
        MakeFile(attributes, "longest"u8);
        _ = Sys.SetXattr(attributes, "longest"u8, "user.longest"u8, Content.Of(65536));
        if (!Sys.IsRoot)
        {
            return;
        }

        MakeFile(attributes, "capability"u8, "cap_net_raw+ep"u8);
        Ok(Sys.SetOwner(attributes, "capability"u8, 7, 8));
        Ok(Sys.SetMode(attributes, "capability"u8, Mode("4755")));
        Ok(Sys.SetXattr(attributes, "capability"u8, "security.capability"u8, Convert.FromHexString("0100000200200000000000000000000000000000")));
        Ok(Sys.Symlink("file"u8, attributes, "link"u8));
        Ok(Sys.SetXattr(attributes, "link"u8, "trusted.link"u8, [0, 255, 10]));
        Ok(Sys.MakeNode(attributes, "fifo"u8, FileType.Fifo, Mode("0600"), 0, 0));
        Ok(Sys.SetXattr(attributes, "fifo"u8, "trusted.fifo"u8, "fifo"u8));
        Ok(Sys.MakeNode(attributes, "device"u8, FileType.CharacterDevice, Mode("0600"), 10, 229));
        Ok(Sys.SetXattr(attributes, "device"u8, "trusted.device"u8, "device"u8));
        Ok(Sys.SetXattr(attributes, "trusted.overlay.opaque"u8, "y"u8));
    }

    private void MakeAccessLists()
    {
        using SafeFileHandle lists = NewDirectory(top, "access lists"u8);
        byte[] list = AccessList((1, 7, uint.MaxValue), (2, 6, 1), (2, 0, 3000000000), (4, 5, uint.MaxValue), (8, 7, 2), (0x10, 7, uint.MaxValue), (0x20, 1, uint.MaxValue));
        byte[] masked = AccessList((1, 6, uint.MaxValue), (2, 7, 5), (4, 7, uint.MaxValue), (0x10, 4, uint.MaxValue), (0x20, 0, uint.MaxValue));
        MakeFile(lists, "file"u8, "listed"u8);
        if (!Try("access lists", Sys.SetXattr(lists, "file"u8, "system.posix_acl_access"u8, list)))
        {
            return;
        }

        MakeFile(lists, "masked"u8, "listed"u8);
        Ok(Sys.SetXattr(lists, "masked"u8, "system.posix_acl_access"u8, masked));
        Ok(Sys.MakeNode(lists, "fifo"u8, FileType.Fifo, Mode("0600"), 0, 0));
        Ok(Sys.SetXattr(lists, "fifo"u8, "system.posix_acl_access"u8, masked));
        using SafeFileHandle directory = NewDirectory(lists, "directory"u8);
        MakeFile(directory, "made before"u8);
        Ok(Sys.SetXattr(directory, "system.posix_acl_default"u8, list));
        Ok(Sys.SetXattr(directory, "system.posix_acl_access"u8, masked));
        Ok(Sys.SetMode(directory, Mode("3770")));
        MakeFile(directory, "made after"u8);
        NewDirectory(directory, "directory made after"u8).Dispose();
    }

    /// <summary>Files with the same content and one difference each. None of them may become a hardlink of another.</summary>
    private void MakeTwins()
    {
        using SafeFileHandle twins = NewDirectory(top, "twins"u8);
        string[] names = ["first", "same", "mode", "time", "attribute", "owner", "group"];
        foreach (string name in names)
        {
            byte[] bytes = Encoding.ASCII.GetBytes(name);
            MakeFile(twins, bytes, "the same in all"u8);
            Ok(Sys.SetTime(twins, bytes, 1600000000));
        }

        Ok(Sys.SetMode(twins, "mode"u8, Mode("0755")));
        Ok(Sys.SetTime(twins, "time"u8, 1600000001));
        _ = Sys.SetXattr(twins, "attribute"u8, "user.twin"u8, "x"u8);
        Ok(Sys.Link(twins, "first"u8, twins, "hardlink"u8));
        if (Sys.IsRoot)
        {
            Ok(Sys.SetOwner(twins, "owner"u8, 1, 0));
            Ok(Sys.SetOwner(twins, "group"u8, 0, 1));
        }
    }

    private void MakeOwners()
    {
        using SafeFileHandle owners = NewDirectory(top, "owners"u8);
        (uint Uid, uint Gid)[] all = [(1, 2), (65534, 65534), (65536, 2147483648), (3000000000, 0), (NobodyElse, NobodyElse), (0, 4242)];
        foreach ((uint uid, uint gid) in all)
        {
            using SafeFileHandle directory = NewDirectory(owners, Encoding.ASCII.GetBytes($"{uid}:{gid}"));
            MakeFile(directory, "file"u8, "owned"u8);
            Ok(Sys.Symlink("file"u8, directory, "link"u8));
            Ok(Sys.MakeNode(directory, "fifo"u8, FileType.Fifo, Mode("0640"), 0, 0));
            foreach (byte[] name in new[] { "file"u8.ToArray(), "link"u8.ToArray(), "fifo"u8.ToArray() })
            {
                Ok(Sys.SetOwner(directory, name, uid, gid));
            }

            Ok(Sys.SetMode(directory, "file"u8, Mode("6555")));
            Ok(Sys.SetOwner(directory, uid, gid));
            Ok(Sys.SetMode(directory, Mode("2750")));
        }
    }

    /// <summary>The value of system.posix_acl_*: struct posix_acl_xattr_header and entries of (tag, permissions, id).</summary>
    internal static byte[] AccessList(params (ushort Tag, ushort Permissions, uint Id)[] entries)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(2);
        foreach ((ushort tag, ushort permissions, uint id) in entries)
        {
            writer.Write(tag);
            writer.Write(permissions);
            writer.Write(id);
        }

        return bytes.ToArray();
    }
}
