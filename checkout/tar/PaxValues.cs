using System.Buffers;
using System.Buffers.Text;
using System.Text;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// The values that pax records give for an entry in place of its header block. In a global header they count for all entries that follow.
/// Null means that no record gives the value. Understands the keywords of POSIX, and those of star (SCHILY.*), libarchive (LIBARCHIVE.*)
/// and GNU tar for extended attributes, access control lists and devices. Other keywords (atime, ctime, comment, uname, SCHILY.ino ...)
/// give nothing that a tree holds.
/// </summary>
internal sealed class PaxValues
{
    private const int MaxXattrNames = 65536;
    private const int XattrHeaderSize = 5;

    /// <summary>Attributes by name. A name is bytes, so each byte is one char of the key (Latin-1).</summary>
    private readonly Dictionary<string, byte[]> xattrs = new(StringComparer.Ordinal);


    /// <summary>What is wrong with access control lists in text form, by the name of their attribute.</summary>
    private readonly Dictionary<string, string> listFaults = new(StringComparer.Ordinal);
    private int xattrNameBytes;
    private long xattrBytes;

    internal byte[]? Path { get; private set; }

    internal byte[]? LinkTarget { get; private set; }

    internal long? Size { get; private set; }

    internal uint? Uid { get; private set; }

    internal uint? Gid { get; private set; }

    internal long? ModifyTime { get; private set; }

    internal uint? DeviceMajor { get; private set; }

    internal uint? DeviceMinor { get; private set; }

    /// <summary>What the header says of a sparse file; null for an entry that is stored whole.</summary>
    internal PaxSparse? Sparse { get; private set; }

    internal bool IsMultiVolume { get; private set; }

    /// <summary>Takes over what a global header says, in place of everything that was said before.</summary>
    internal void CopyFrom(PaxValues other)
    {
        // The holes of one file are no matter of a global header.
        Sparse = null;
        Path = other.Path;
        LinkTarget = other.LinkTarget;
        Size = other.Size;
        Uid = other.Uid;
        Gid = other.Gid;
        ModifyTime = other.ModifyTime;
        DeviceMajor = other.DeviceMajor;
        DeviceMinor = other.DeviceMinor;
        IsMultiVolume = other.IsMultiVolume;
        xattrNameBytes = other.xattrNameBytes;
        xattrBytes = other.xattrBytes;
        Copy(other.xattrs, xattrs);
        Copy(other.listFaults, listFaults);
    }

    /// <summary>Takes over the records of one header; later records win. Returns what is wrong with them, or null.</summary>
    internal string? Apply(ReadOnlySpan<byte> records)
    {
        while (!records.IsEmpty)
        {
            if ((PaxRecords.Take(ref records, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value) ?? Apply(key, value)) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    /// <summary>What is wrong with an access control list that is there in text form only; null if nothing is wrong.</summary>
    internal string? ListFault => listFaults.Where(fault => !xattrs.ContainsKey(fault.Key)).Select(fault => fault.Value).FirstOrDefault();

    /// <summary>The extended attributes as canonical bytes.</summary>
    internal byte[] EncodeXattrs() =>
        xattrs.Count == 0 ? [] : XattrSet.Encode(xattrs.Select(x => (Encoding.Latin1.GetBytes(x.Key), x.Value)));

    /// <summary>
    /// Takes over one record. An empty value withdraws an earlier value; for an extended attribute it is the value itself.
    /// </summary>
    private string? Apply(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        switch (key)
        {
            case var _ when key.SequenceEqual("path"u8):
                Path = value.IsEmpty ? null : value.ToArray();
                return null;
            case var _ when key.SequenceEqual("linkpath"u8):
                LinkTarget = value.IsEmpty ? null : value.ToArray();
                return null;
            case var _ when key.SequenceEqual("mtime"u8):
                ModifyTime = !value.IsEmpty && PaxRecords.TryTime(value, out long time) ? time : null;
                return ModifyTime is null && !value.IsEmpty ? "its time is not a number" : null;
            case var _ when key.SequenceEqual("size"u8):
                Size = Number(value, long.MaxValue, out string? fault);
                return fault;
            case var _ when key.SequenceEqual("uid"u8):
                Uid = (uint?)Number(value, uint.MaxValue, out fault);
                return fault;
            case var _ when key.SequenceEqual("gid"u8):
                Gid = (uint?)Number(value, uint.MaxValue, out fault);
                return fault;
            case var _ when key.SequenceEqual("SCHILY.devmajor"u8):
                DeviceMajor = (uint?)Number(value, uint.MaxValue, out fault);
                return fault;
            case var _ when key.SequenceEqual("SCHILY.devminor"u8):
                DeviceMinor = (uint?)Number(value, uint.MaxValue, out fault);
                return fault;
            default:
                return ApplyVendor(key, value);
        }
    }

    private string? ApplyVendor(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (key.StartsWith("SCHILY.xattr."u8))
        {
            return AddXattr(UnescapeGnu(key["SCHILY.xattr.".Length..]), value.ToArray());
        }

        if (key.StartsWith("LIBARCHIVE.xattr."u8))
        {
            return FromBase64(value) is { } bytes
                ? AddXattr(Unescape(Encoding.Latin1.GetString(key["LIBARCHIVE.xattr.".Length..])), bytes)
                : "an extended attribute is not base64";
        }

        if (key.SequenceEqual("RHT.security.selinux"u8))
        {
            // GNU tar --selinux wrote this. The kernel's value ends with a NUL.
            return AddXattr("security.selinux", [.. value, 0]);
        }

        if (key.SequenceEqual("SCHILY.acl.access"u8) || key.SequenceEqual("SCHILY.acl.default"u8))
        {
            return ApplyAcl(value, isDefault: key.EndsWith("default"u8));
        }

        if (key.StartsWith("GNU.sparse."u8))
        {
            Sparse ??= new PaxSparse();
            return Sparse.Apply(key, value) ? null : "the map of its holes is damaged, or of a newer format";
        }

        IsMultiVolume |= key.StartsWith("GNU.volume."u8) && !key.SequenceEqual("GNU.volume.label"u8);
        return null;
    }

    private string? ApplyAcl(ReadOnlySpan<byte> text, bool isDefault)
    {
        // GNU tar writes user and group names in the text, even with --numeric-owner. With --xattrs it writes the attribute too: then that
        // counts.
        string name = isDefault ? "system.posix_acl_default" : "system.posix_acl_access";
        if (xattrs.ContainsKey(name))
        {
            return null;
        }

        listFaults.Remove(name);
        if (PosixAcl.Parse(text, out byte[] value) is { } fault)
        {
            listFaults.Add(name, fault);
        }

        return value.Length > 0 && (isDefault || !PosixAcl.IsMode(value)) ? AddXattr(name, value) : null;
    }

    private string? AddXattr(string name, byte[] value)
    {
        if (name.Length is 0 or > byte.MaxValue || name.Contains('\0', StringComparison.Ordinal) || value.Length > XattrSet.MaxValueLength)
        {
            return "it has an extended attribute that Linux could not hold";
        }

        // Linux lists the names of a file's attributes in 64 KiB. So this limit refuses no real file, and it limits the memory for global
        // headers.
        bool isNew = !xattrs.Remove(name, out byte[]? before);
        xattrs.Add(name, value);
        xattrNameBytes += isNew ? name.Length + 1 : 0;
        xattrBytes += value.Length - (before?.Length ?? -XattrHeaderSize - name.Length);
        return xattrNameBytes > MaxXattrNames || xattrBytes > XattrSet.MaxLength
            ? "it has more extended attributes than Linux could hold"
            : null;
    }

    private static long? Number(ReadOnlySpan<byte> text, long max, out string? fault)
    {
        bool isNumber = PaxRecords.TryDecimal(text, out long number) && number <= max;
        fault = isNumber || text.IsEmpty ? null : "a number in its pax header is wrong or too large";
        return isNumber ? number : null;
    }

    /// <summary>Undoes GNU tar's escapes. GNU tar escapes only the two characters that a keyword cannot hold.</summary>
    private static string UnescapeGnu(ReadOnlySpan<byte> name) =>
        Encoding.Latin1.GetString(name).Replace("%3D", "=", StringComparison.Ordinal).Replace("%25", "%", StringComparison.Ordinal);

    /// <summary>Undoes libarchive's escapes: a percent sign and two hexadecimal digits for any byte, as in a URL.</summary>
    private static string Unescape(string name)
    {
        var text = new StringBuilder(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            bool isEscape = name[i] == '%' && i + 2 < name.Length && char.IsAsciiHexDigit(name[i + 1]) && char.IsAsciiHexDigit(name[i + 2]);
            text.Append(isEscape ? (char)Convert.ToByte(name.Substring(i + 1, 2), 16) : name[i]);
            i += isEscape ? 2 : 0;
        }

        return text.ToString();
    }

    /// <summary>Decodes base64 with or without padding; libarchive writes none.</summary>
    private static byte[]? FromBase64(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> digits = text.TrimEnd((byte)'=');
        byte[] padded = [.. digits, .. "==="u8[..(-digits.Length & 3)]];
        byte[] bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(padded.Length)];
        return Base64.DecodeFromUtf8(padded, bytes, out _, out int written) == OperationStatus.Done ? bytes[..written] : null;
    }

    private static void Copy<T>(Dictionary<string, T> from, Dictionary<string, T> to)
    {
        to.Clear();
        foreach ((string name, T value) in from)
        {
            to.Add(name, value);
        }
    }
}
