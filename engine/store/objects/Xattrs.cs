using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Reads and writes the extended attributes of inodes as canonical sets. It has buffers, so each thread needs its own.</summary>
public sealed class Xattrs
{
    private const int Limit = 65536;

    // The kernel allocates as much memory as the caller offers, in each call. So a small buffer is offered first.
    private const int Usual = 512;

    private readonly byte[] list = GC.AllocateUninitializedArray<byte>(Limit);
    private readonly byte[] value = GC.AllocateUninitializedArray<byte>(Limit);

    /// <summary>The attributes of an open file.</summary>
    public byte[] Read(SafeFileHandle file, object subject) => Read(file, default, subject);

    /// <summary>
    /// The attributes of <paramref name="name"/> in a directory; a symbolic link is not followed. If the name is empty, the attributes of
    /// the open file itself. Empty on a filesystem without attributes.
    /// </summary>
    public byte[] Read(SafeFileHandle file, ReadOnlySpan<byte> name, object subject)
    {
        Errno errno = List(file, name, list.AsSpan(0, Usual), out int length);
        if (errno == Errno.ERANGE)
        {
            errno = List(file, name, list, out length);
        }

        if (errno == Errno.EOPNOTSUPP || (errno == Errno.None && length == 0))
        {
            return [];
        }

        errno.ThrowIfFailed("listxattr", subject);
        var found = new List<(byte[] Name, byte[] Value)>();
        for (ReadOnlySpan<byte> names = list.AsSpan(0, length); !names.IsEmpty;)
        {
            int end = names.IndexOf((byte)0);
            ReadOnlySpan<byte> attribute = names[..end];
            names = names[(end + 1)..];
            errno = Get(file, name, attribute, value.AsSpan(0, Usual), out int valueLength);
            if (errno == Errno.ERANGE)
            {
                errno = Get(file, name, attribute, value, out valueLength);
            }

            // The attribute was removed after it was listed, or the filesystem lists it but does not let us read it.
            if (errno is Errno.ENODATA or Errno.EOPNOTSUPP)
            {
                continue;
            }

            errno.ThrowIfFailed("getxattr", $"{subject}, attribute {ByteText.Quote(attribute)}");
            found.Add((attribute.ToArray(), value[..valueLength]));
        }

        return XattrSet.Encode(found);
    }

    /// <summary>Sets every attribute of a canonical set on an open file.</summary>
    public static void Set(SafeFileHandle file, ReadOnlySpan<byte> canonical, object subject)
    {
        while (XattrSet.Next(ref canonical, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            Sys.SetXattr(file, name, value).ThrowIfFailed("fsetxattr", $"{subject}, attribute {ByteText.Quote(name)}");
        }
    }

    /// <summary>Removes the attributes of an open file that are not in a canonical set.</summary>
    public void RemoveOthers(SafeFileHandle file, ReadOnlySpan<byte> canonical, object subject)
    {
        ReadOnlySpan<byte> present = Read(file, subject);
        while (XattrSet.Next(ref present, out ReadOnlySpan<byte> name, out _))
        {
            if (!XattrSet.Contains(canonical, name))
            {
                RequireRemoved(Sys.RemoveXattr(file, name), subject);
            }
        }
    }

    /// <summary>Sets every attribute of a canonical set on a name in a directory. A symbolic link is not followed.</summary>
    public static void Set(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> canonical, object subject)
    {
        while (XattrSet.Next(ref canonical, out ReadOnlySpan<byte> attribute, out ReadOnlySpan<byte> value))
        {
            Sys.SetXattr(directory, name, attribute, value)
                .ThrowIfFailed("lsetxattr", $"{subject}, attribute {ByteText.Quote(attribute)}");
        }
    }

    /// <summary>The name of the access ACL's attribute.</summary>
    public static ReadOnlySpan<byte> AccessAcl => "system.posix_acl_access"u8;

    /// <summary>Removes the ACLs that a new directory inherited from the directory above.</summary>
    public static void RemoveInheritedAcls(SafeFileHandle directory, object subject)
    {
        RequireRemoved(Sys.RemoveXattr(directory, "system.posix_acl_default"u8), subject);
        RequireRemoved(Sys.RemoveXattr(directory, AccessAcl), subject);
    }

    /// <summary>Removes an attribute that a new name may have inherited from its directory. A symbolic link is not followed.</summary>
    public static void RemoveInherited(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, object subject) =>
        RequireRemoved(Sys.RemoveXattr(directory, name, attribute), subject);

    private static Errno List(SafeFileHandle file, ReadOnlySpan<byte> name, Span<byte> destination, out int length) =>
        name.IsEmpty ? Sys.ListXattrs(file, destination, out length) : Sys.ListXattrs(file, name, destination, out length);

    private static Errno Get(SafeFileHandle file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> attribute, Span<byte> destination, out int length) =>
        name.IsEmpty ? Sys.GetXattr(file, attribute, destination, out length) : Sys.GetXattr(file, name, attribute, destination, out length);

    private static void RequireRemoved(Errno errno, object subject)
    {
        if (errno is not (Errno.ENODATA or Errno.EOPNOTSUPP))
        {
            errno.ThrowIfFailed("removexattr", subject);
        }
    }
}
