using System.Buffers;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// Writes a tar archive in pax format, which every tar reads. The same entries make the same bytes: nothing depends on the machine, the user
/// or the time. A pax header is written only for values that the header block cannot hold.
/// </summary>
/// <remarks>
/// Call <see cref="Add"/> for each entry, and for a regular file then <see cref="WriteContent"/> until its whole content is written. Call
/// <see cref="Finish"/> at the end.
/// </remarks>
internal sealed class TarWriter(Stream output)
{
    /// <summary>The length of an archive is a multiple of 20 blocks (POSIX, and GNU tar's default).</summary>
    private const int RecordSize = 20 * TarHeader.BlockSize;


    private readonly byte[] zeros = new byte[RecordSize];
    private readonly byte[] block = new byte[TarHeader.BlockSize];
    private readonly ArrayBufferWriter<byte> path = new();
    private readonly ArrayBufferWriter<byte> records = new();
    private long written;
    private long remaining;

    /// <summary>Begins an entry.</summary>
    /// <param name="treePath">The path from the top of the tree, without a slash at either end; empty for the tree itself.</param>
    /// <param name="entry">The entry. Its name is ignored.</param>
    internal void Add(ReadOnlySpan<byte> treePath, in TreeEntry entry)
    {
        ThrowIfUnfinished();
        SetPath(treePath, entry.IsDirectory);
        records.ResetWrittenCount();
        bool fits = TrySplit(path.WrittenSpan, out int prefixLength);
        AddRecords(entry, isPathNeeded: !fits);
        if (records.WrittenCount > 0)
        {
            WritePaxHeader(treePath);
        }

        WriteHeader(entry, prefixLength);
        remaining = entry.Kind == EntryKind.Regular ? entry.Size : 0;
    }

    /// <summary>Writes the next bytes of the entry's content.</summary>
    internal void WriteContent(ReadOnlySpan<byte> content)
    {
        if (content.Length > remaining)
        {
            throw new InvalidOperationException("more content than the size of the entry");
        }

        Write(content);
        remaining -= content.Length;
        if (remaining == 0)
        {
            Pad(TarHeader.BlockSize);
        }
    }

    /// <summary>Writes the end of the archive.</summary>
    internal void Finish()
    {
        ThrowIfUnfinished();
        Write(zeros.AsSpan(0, 2 * TarHeader.BlockSize));
        Pad(RecordSize);
        output.Flush();
    }

    private void ThrowIfUnfinished()
    {
        if (remaining > 0)
        {
            throw new InvalidOperationException("less content than the size of the entry");
        }
    }

    /// <summary>Sets the path in tar's form: a directory's path ends with a slash, and the tree itself is "./".</summary>
    private void SetPath(ReadOnlySpan<byte> treePath, bool isDirectory)
    {
        path.ResetWrittenCount();
        path.Write(treePath.IsEmpty ? "."u8 : treePath);
        path.Write(isDirectory ? "/"u8 : default);
    }

    /// <summary>Makes pax records for the values that the header block cannot hold.</summary>
    private void AddRecords(in TreeEntry entry, bool isPathNeeded)
    {
        // Pax records are UTF-8 unless hdrcharset says otherwise. GNU tar warns about that keyword and goes on; other programs need it.
        bool hasPath = isPathNeeded || !System.Text.Ascii.IsValid(path.WrittenSpan);
        bool hasTarget = entry.Target.Length > TarHeader.LinkSize || !System.Text.Ascii.IsValid(entry.Target);
        if ((hasPath && !ByteText.IsUtf8(path.WrittenSpan)) || (hasTarget && !ByteText.IsUtf8(entry.Target)))
        {
            PaxRecords.Append(records, "hdrcharset"u8, "BINARY"u8);
        }

        if (hasPath)
        {
            PaxRecords.Append(records, "path"u8, path.WrittenSpan);
        }

        if (hasTarget)
        {
            PaxRecords.Append(records, "linkpath"u8, entry.Target);
        }

        AddNumber("size"u8, entry.Size, TarHeader.MaxLongNumber);
        AddNumber("uid"u8, entry.Metadata.Uid, TarHeader.MaxNumber);
        AddNumber("gid"u8, entry.Metadata.Gid, TarHeader.MaxNumber);
        AddNumber("mtime"u8, entry.Metadata.ModifyTime, TarHeader.MaxLongNumber);
        AddNumber("SCHILY.devmajor"u8, entry.DeviceMajor, TarHeader.MaxNumber);
        AddNumber("SCHILY.devminor"u8, entry.DeviceMinor, TarHeader.MaxNumber);
        ReadOnlySpan<byte> rest = entry.Xattrs;
        while (XattrSet.Next(ref rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            AddXattr(name, value);
        }
    }

    private void AddNumber(ReadOnlySpan<byte> key, long value, long max)
    {
        if (!Fits(value, max))
        {
            PaxRecords.Append(records, key, value);
        }
    }

    private void AddXattr(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        // GNU tar and bsdtar restore an access control list only from its text.
        bool isAccess = name.SequenceEqual("system.posix_acl_access"u8);
        bool isDefault = name.SequenceEqual("system.posix_acl_default"u8);
        if ((isDefault || (isAccess && !PosixAcl.IsMode(value))) && PosixAcl.Format(value) is { } text)
        {
            PaxRecords.Append(records, isAccess ? "SCHILY.acl.access"u8 : "SCHILY.acl.default"u8, text);
        }
        else
        {
            PaxRecords.Append(records, [.. "SCHILY.xattr."u8, .. EscapeGnu(name)], value);
        }
    }

    /// <summary>Escapes '=' and '%' in an attribute's name, as GNU tar does, because a keyword ends at the first '='.</summary>
    private static ReadOnlySpan<byte> EscapeGnu(ReadOnlySpan<byte> name)
    {
        if (name.IndexOfAny((byte)'=', (byte)'%') < 0)
        {
            return name;
        }

        var escaped = new ArrayBufferWriter<byte>();
        foreach (byte b in name)
        {
            escaped.Write(b == '=' ? "%3D"u8 : b == '%' ? "%25"u8 : [b]);
        }

        return escaped.WrittenSpan;
    }

    private void WritePaxHeader(ReadOnlySpan<byte> treePath)
    {
        // Programs that do not know pax extract the header as a file of this name.
        ReadOnlySpan<byte> name = treePath[(treePath.LastIndexOf((byte)'/') + 1)..];
        byte[] headerName = [.. "./PaxHeaders/"u8, .. name.IsEmpty ? "."u8 : name];
        block.AsSpan().Clear();
        headerName.AsSpan(0, Math.Min(headerName.Length, TarHeader.NameSize)).CopyTo(block);
        WriteHeader(TarHeader.PaxType, new FileMetadata(FileModes.PublicFile, 0, 0, 0), records.WrittenCount, 0, 0);
        Write(records.WrittenSpan);
        Pad(TarHeader.BlockSize);
    }

    private void WriteHeader(in TreeEntry entry, int prefixLength)
    {
        block.AsSpan().Clear();
        ReadOnlySpan<byte> all = path.WrittenSpan;
        all[..prefixLength].CopyTo(block.AsSpan(TarHeader.PrefixOffset));
        ReadOnlySpan<byte> name = all[(prefixLength == 0 ? 0 : prefixLength + 1)..];
        name[..Math.Min(name.Length, TarHeader.NameSize)].CopyTo(block.AsSpan(TarHeader.NameOffset));
        entry.Target[..Math.Min(entry.Target.Length, TarHeader.LinkSize)].CopyTo(block.AsSpan(TarHeader.LinkOffset));
        WriteHeader(TypeOf(entry.Kind), entry.Metadata, entry.Size, entry.DeviceMajor, entry.DeviceMinor);
    }

    private void WriteHeader(byte type, FileMetadata metadata, long size, uint major, uint minor)
    {
        Put(TarHeader.ModeOffset, metadata.Mode);
        Put(TarHeader.UidOffset, metadata.Uid);
        Put(TarHeader.GidOffset, metadata.Gid);
        PutLong(TarHeader.SizeOffset, size);
        PutLong(TarHeader.TimeOffset, metadata.ModifyTime);
        block[TarHeader.TypeOffset] = type;
        TarHeader.PosixMagic.CopyTo(block.AsSpan(TarHeader.MagicOffset));
        Put(TarHeader.MajorOffset, major);
        Put(TarHeader.MinorOffset, minor);
        TarHeader.Seal(block);
        Write(block);
    }

    /// <summary>Writes a number; zero if a pax record holds the number.</summary>
    private void Put(int offset, long value) =>
        TarHeader.PutOctal(block.AsSpan(offset, TarHeader.NumberSize), Fits(value, TarHeader.MaxNumber) ? value : 0);

    private void PutLong(int offset, long value) =>
        TarHeader.PutOctal(block.AsSpan(offset, TarHeader.LongNumberSize), Fits(value, TarHeader.MaxLongNumber) ? value : 0);

    private static bool Fits(long value, long max) => value >= 0 && value <= max;

    /// <summary>Finds where to split a path into prefix and name. False, without a prefix, if that is impossible.</summary>
    private static bool TrySplit(ReadOnlySpan<byte> path, out int prefixLength)
    {
        prefixLength = 0;
        if (path.Length <= TarHeader.NameSize)
        {
            return true;
        }

        int first = path.Length - TarHeader.NameSize - 1;
        int slash = path[first..^1].IndexOf((byte)'/');
        if (slash < 0 || first + slash is 0 or > TarHeader.PrefixSize)
        {
            return false;
        }

        prefixLength = first + slash;
        return true;
    }

    private static byte TypeOf(EntryKind kind) => kind switch
    {
        EntryKind.Regular => TarHeader.RegularType,
        EntryKind.Directory => TarHeader.DirectoryType,
        EntryKind.Symlink => TarHeader.SymlinkType,
        EntryKind.CharacterDevice => TarHeader.CharacterDeviceType,
        EntryKind.BlockDevice => TarHeader.BlockDeviceType,
        EntryKind.Fifo => TarHeader.FifoType,
        _ => throw new ArgumentException($"an entry of kind {kind}", nameof(kind)),
    };

    private void Write(ReadOnlySpan<byte> bytes)
    {
        output.Write(bytes);
        written += bytes.Length;
    }

    private void Pad(int unit) => Write(zeros.AsSpan(0, (int)((unit - written % unit) % unit)));
}
