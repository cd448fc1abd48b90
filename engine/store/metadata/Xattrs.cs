using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Reads and writes the extended attributes of inodes as canonical sets. It has buffers, so each thread needs its own.</summary>
/// <param name="policy">The store for which trees are made: attributes that are no part of them are passed over. Null to read all.</param>
/// <param name="leavesOut">Attributes that the user does not want; null to read all.</param>
public sealed class Xattrs(StoreFormat? policy = null, XattrTest? leavesOut = null)
{
    private const int Limit = 65536;

    // The kernel allocates as much memory as the caller offers, in each call. So a small buffer is offered first.
    private const int Usual = 512;

    // As many attributes as files usually have are read without allocating more than the set.
    private const int Few = 8;

    [ThreadStatic]
    private static Xattrs? ofThread;

    private readonly byte[] list = GC.AllocateUninitializedArray<byte>(Limit);
    private readonly byte[] value = GC.AllocateUninitializedArray<byte>(Limit);

    /// <summary>A reader of all attributes for the calling thread. Its buffers take 128 KiB.</summary>
    internal static Xattrs OfThread => ofThread ??= new Xattrs();

    /// <summary>Whether the inode that was read last has attributes that the user does not want.</summary>
    public bool HasLeftOut { get; private set; }

    /// <summary>The attributes of an open file.</summary>
    public byte[] Read(SafeFileHandle file, object subject) => Read(file, default, subject);

    /// <summary>
    /// The attributes of <paramref name="name"/> in a directory; a symbolic link is not followed. If the name is empty, the attributes of
    /// the open file itself. Empty on a filesystem without attributes. Throws <see cref="UnheldException"/> if they are more than a tree holds.
    /// </summary>
    public byte[] Read(SafeFileHandle file, ReadOnlySpan<byte> name, object subject)
    {
        HasLeftOut = false;
        Errno errno = List(file, name, list.AsSpan(0, Usual), out int length);
        if (errno == Errno.ERANGE)
        {
            errno = List(file, name, list, out length);
        }

        if (errno == Errno.EOPNOTSUPP || (errno == Errno.None && length == 0))
        {
            return [];
        }

        if (errno == Errno.E2BIG)
        {
            throw new UnheldException(subject.ToString() ?? "", new Unheld.TooManyAttributes(), isCommit: true);
        }

        errno.ThrowIfFailed("listxattr", subject);
        if (TryReadFew(file, name, length, out byte[] few))
        {
            return few;
        }

        long total = 0;
        var found = new List<(byte[] Name, byte[] Value)>();
        for (ReadOnlySpan<byte> names = list.AsSpan(0, length); !names.IsEmpty;)
        {
            int end = names.IndexOf((byte)0);
            ReadOnlySpan<byte> attribute = names[..end];
            names = names[(end + 1)..];
            if (IsPassedOver(attribute))
            {
                continue;
            }

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
            total += XattrSet.LengthOf(attribute.Length, valueLength);
            if (total > XattrSet.MaxLength)
            {
                throw new UnheldException(subject.ToString() ?? "", new Unheld.TooManyAttributes(), isCommit: true);
            }

            found.Add((attribute.ToArray(), value[..valueLength]));
        }

        return found.Count == 0 ? [] : XattrSet.Encode(found);
    }

    /// <summary>Reads a set of few and short attributes; false if it is another, or changes meanwhile.</summary>
    private bool TryReadFew(SafeFileHandle file, ReadOnlySpan<byte> name, int listed, out byte[] set)
    {
        set = [];
        Span<Range> names = stackalloc Range[Few];
        int count = 0;
        for (int start = 0, end; start < listed; start = end + 1)
        {
            end = start + list.AsSpan(start, listed - start).IndexOf((byte)0);
            if (IsPassedOver(list.AsSpan(start..end)))
            {
                continue;
            }

            if (count == Few)
            {
                return false;
            }

            int at = count++;
            for (; at > 0 && list.AsSpan(names[at - 1]).SequenceCompareTo(list.AsSpan(start..end)) > 0; at--)
            {
                names[at] = names[at - 1];
            }

            names[at] = start..end;
        }

        int filled = 0;
        foreach (Range place in names[..count])
        {
            // The value is read to where it stands in the set.
            ReadOnlySpan<byte> attribute = list.AsSpan(place);
            if (Get(file, name, attribute, value.AsSpan(filled + XattrSet.HeaderSize + attribute.Length, Usual), out int length) != Errno.None)
            {
                return false;
            }

            XattrSet.WriteName(value.AsSpan(filled), attribute, length);
            filled += XattrSet.HeaderSize + attribute.Length + length;
        }

        set = value[..filled];
        return XattrSet.IsCanonical(set);
    }

    /// <summary>Sets every attribute of a canonical set on an open file.</summary>
    public static void Set(SafeFileHandle file, ReadOnlySpan<byte> canonical, object subject) => Set(file, default, canonical, subject);

    /// <summary>
    /// Removes the attributes of an open file that are not in a canonical set. An attribute of the machine stays if the machine lets nobody
    /// remove it. One of the filesystem stays always: on XFS, the ACL would go with it.
    /// </summary>
    public void RemoveOthers(SafeFileHandle file, ReadOnlySpan<byte> canonical, object subject)
    {
        ReadOnlySpan<byte> present = Read(file, subject);
        while (XattrSet.Next(ref present, out ReadOnlySpan<byte> name, out _))
        {
            if (!XattrSet.Contains(canonical, name) && !StoreFormat.IsFilesystemXattr(name))
            {
                Errno errno = Sys.RemoveXattr(file, name);
                if (!StoreFormat.IsMachineXattr(name) || errno is not (Errno.EACCES or Errno.EPERM))
                {
                    RequireRemoved(errno, subject);
                }
            }
        }
    }

    /// <summary>
    /// Sets every attribute of a canonical set on a name in a directory. A symbolic link is not followed. Throws
    /// <see cref="UnheldException"/> for an attribute that the filesystem or the kernel refuses.
    /// </summary>
    public static void Set(SafeFileHandle file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> canonical, object subject)
    {
        if (TrySet(file, name, canonical, subject) is { } unheld)
        {
            throw new UnheldException(subject.ToString() ?? "", unheld, isCommit: false);
        }
    }

    /// <summary>
    /// Sets every attribute of a canonical set on a name in a directory, or on the open file itself if the name is empty. Returns the first
    /// attribute that the filesystem or the kernel refuses.
    /// </summary>
    internal static Unheld? TrySet(SafeFileHandle file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> canonical, object subject)
    {
        while (XattrSet.Next(ref canonical, out ReadOnlySpan<byte> attribute, out ReadOnlySpan<byte> value))
        {
            Errno errno = name.IsEmpty ? Sys.SetXattr(file, attribute, value) : Sys.SetXattr(file, name, attribute, value);
            if (errno != Errno.None)
            {
                return Unheld.OfXattr(errno, file, attribute, value.Length, subject);
            }
        }

        return null;
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

    private bool IsPassedOver(ReadOnlySpan<byte> attribute)
    {
        if (policy?.PassesOver(attribute) == true)
        {
            return true;
        }

        bool isUnwanted = leavesOut?.Invoke(attribute) == true;
        HasLeftOut |= isUnwanted;
        return isUnwanted;
    }

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
