using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Reads and writes the extended attributes of inodes as canonical sets. Keeps buffers: one for each thread.</summary>
public sealed class Xattrs
{
    private const int Limit = 65536;

    // The kernel sets aside as much memory as it is offered, for each call anew.
    private const int Usual = 512;

    private readonly byte[] list = GC.AllocateUninitializedArray<byte>(Limit);
    private readonly byte[] value = GC.AllocateUninitializedArray<byte>(Limit);

    /// <summary>The attributes of an open file.</summary>
    public byte[] Read(SafeFileHandle file, object subject) => Read(file, default, subject);

    /// <summary>
    /// The attributes of <paramref name="name"/> in a directory, not followed; of the open file itself where the name is
    /// empty. None on a filesystem that has no attributes.
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

            // Removed since it was listed, or listed by a filesystem that does not let us read it.
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

    /// <summary>Takes away the attributes of an open file that a canonical set has not.</summary>
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

    /// <summary>Sets every attribute of a canonical set on a name in a directory, not followed.</summary>
    public static void Set(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> canonical, object subject)
    {
        while (XattrSet.Next(ref canonical, out ReadOnlySpan<byte> attribute, out ReadOnlySpan<byte> value))
        {
            Sys.SetXattr(directory, name, attribute, value).ThrowIfFailed("lsetxattr", $"{subject}, attribute {ByteText.Quote(attribute)}");
        }
    }

    /// <summary>The access ACL's attribute.</summary>
    public static ReadOnlySpan<byte> AccessAcl => "system.posix_acl_access"u8;

    /// <summary>Takes away what a new directory inherited from the default ACL of the one above it.</summary>
    public static void RemoveInheritedAcls(SafeFileHandle directory, object subject)
    {
        RequireRemoved(Sys.RemoveXattr(directory, "system.posix_acl_default"u8), subject);
        RequireRemoved(Sys.RemoveXattr(directory, AccessAcl), subject);
    }

    /// <summary>Takes away an attribute that a new name in a directory, not followed, may have got from there.</summary>
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
