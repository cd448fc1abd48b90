using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// Reads a tar archive front to back, in v7, ustar, pax (IEEE Std 1003.1) or GNU format. Trusts nothing in the archive: any bytes give
/// either an entry or a <see cref="TarException"/>. Memory is limited to the names and attributes of one entry.
/// </summary>
/// <remarks>
/// System.Formats.Tar is not used because it decodes names and SCHILY.xattr values as UTF-8: bytes that are not UTF-8 (a Latin-1 name, a
/// file capability) become U+FFFD. Here names and values are bytes throughout.
/// </remarks>
internal sealed partial class TarReader(Stream stream)
{
    /// <summary>The longest accepted pax header or GNU long name: twice the largest set of extended attributes.</summary>
    private const int MaxExtension = 2 * XattrSet.MaxLength;

    private const int MaxTarget = 4095;

    private const int MostZeroBlocks = 64 * 1024 * 1024 / TarHeader.BlockSize;
    private const string MultiVolume = "this is a part of a multi-volume archive; make it in one piece";

    private readonly TarInput input = new(stream);
    private readonly byte[] block = new byte[TarHeader.BlockSize];
    private readonly byte[] ustarPath = new byte[TarHeader.PrefixSize + 1 + TarHeader.NameSize];
    private byte[] extension = [];
    private readonly PaxValues globals = new();
    private readonly PaxValues values = new();
    private ReadOnlyMemory<byte> path;
    private ReadOnlyMemory<byte> linkTarget;
    private byte[]? gnuName;
    private byte[]? gnuTarget;
    private TarSparse? sparse;
    private long headerOffset;
    private long remaining;
    private long padding;
    private bool hasEnded;

    /// <summary>The kind of the entry. None for a hard link, which has the kind of its target.</summary>
    internal EntryKind Kind { get; private set; }

    /// <summary>Whether the entry is another name for an earlier entry, whose path is <see cref="LinkTarget"/>.</summary>
    internal bool IsHardLink { get; private set; }

    /// <summary>
    /// The path in the archive, which may be any bytes: see <see cref="TarPath"/>. Like all spans here it is valid until the next entry.
    /// </summary>
    internal ReadOnlySpan<byte> Path => path.Span;

    /// <summary>For a symbolic link, a target that a tree can hold. For a hard link, a path of any bytes.</summary>
    internal ReadOnlySpan<byte> LinkTarget => linkTarget.Span;

    /// <summary>Mode, owner and time. For a hard link, what the archive repeats of its target.</summary>
    internal FileMetadata Metadata { get; private set; }

    /// <summary>Extended attributes in the form of <see cref="XattrSet"/>.</summary>
    internal byte[] Xattrs { get; private set; } = [];

    /// <summary>Regular file: the length of the content, as the archive claims.</summary>
    internal long Size { get; private set; }

    /// <summary>Whether the file has holes in the archive: bytes that read as zeros and are not stored.</summary>
    internal bool IsSparse => sparse is not null;

    /// <summary>Which bytes of the file the archive stores; null if it stores all.</summary>
    internal TarSparse? Map => sparse;

    /// <summary>Where bytes stand behind the end of the archive that are no archive; null where there are none, or the end was not reached.</summary>
    internal long? RestOffset { get; private set; }

    /// <summary>Where in the stream the next byte of the content is.</summary>
    internal long ContentOffset => input.Position;

    /// <summary>Device: major number.</summary>
    internal uint DeviceMajor { get; private set; }

    /// <summary>Device: minor number.</summary>
    internal uint DeviceMinor { get; private set; }

    /// <summary>Moves to the next entry and skips content that was not read; false at the end of the archive.</summary>
    internal bool Next()
    {
        bool isExtended = false;
        if (hasEnded)
        {
            return false;
        }

        SkipContent();
        path = default;
        gnuName = gnuTarget = null;
        values.CopyFrom(globals);
        while (ReadHeader())
        {
            byte type = block[TarHeader.TypeOffset];
            switch (type)
            {
                case TarHeader.PaxType or TarHeader.SolarisPaxType:
                    // Of several headers the last one counts, as for other programs.
                    values.CopyFrom(globals);
                    Check(values.Apply(ReadExtension()));
                    break;
                case TarHeader.PaxGlobalType when !isExtended:
                    Check(globals.Apply(ReadExtension()));
                    values.CopyFrom(globals);
                    continue;
                case TarHeader.GnuLongNameType:
                    gnuName = TarHeader.Text(ReadExtension()).ToArray();
                    break;
                case TarHeader.GnuLongLinkType:
                    gnuTarget = TarHeader.Text(ReadExtension()).ToArray();
                    break;
                case TarHeader.GnuVolumeLabelType when !isExtended:
                    SetContent(Number(TarHeader.SizeOffset, TarHeader.LongNumberSize, "size", long.MaxValue));
                    SkipContent();
                    continue;
                default:
                    ReadEntry(type);
                    return true;
            }

            isExtended = true;
        }

        hasEnded = true;
        return !isExtended ? false : throw Fault("the archive ends between the name or attributes of an entry and the entry");
    }

    /// <summary>An exception about the entry. Its message has the entry's name and place.</summary>
    internal TarException Fault(string fault, Remedy? remedy = null) =>
        new($"{NameInMessages}{fault} (at byte {headerOffset} of the archive)", remedy);

    /// <summary>An exception about a system call that failed while the entry was added.</summary>
    internal TarException Fault(LinuxException cause) =>
        new($"{NameInMessages}{cause.Message}") { Cause = new LinuxException(cause.Errno, cause.Call, $"{NameInMessages}{cause.Subject}") };

    private string NameInMessages => path.IsEmpty ? "" : $"{TarException.Show(Path)}: ";

    /// <summary>Reads the next header block; false at the end of the archive.</summary>
    private bool ReadHeader()
    {
        headerOffset = input.Position;
        int length = input.ReadFully(block);
        if (headerOffset == 0)
        {
            RequireTar(block.AsSpan(0, length));
        }

        if (length == 0)
        {
            // GNU tar allows an archive without an end mark. The last entry was whole.
            return false;
        }

        if (length < block.Length)
        {
            throw CutShort();
        }

        if (IsZero(block))
        {
            return TryReadNextArchive();
        }

        return TarHeader.HasRightChecksum(block)
            ? true
            : throw Fault(headerOffset == 0
                ? "this is not a tar archive"
                : "there is no header of an entry where one should be; the archive is damaged");
    }

    /// <summary>
    /// Reads past the end of an archive: two blocks of zeros, and more zeros that fill the last record. Answers whether another archive follows,
    /// as `cat a.tar b.tar` makes it; its first header is in <see cref="block"/>. Other bytes are read to the end of the input, so that the
    /// program at the other end of a pipe can finish.
    /// </summary>
    private bool TryReadNextArchive()
    {
        for (int zeros = 1; zeros < MostZeroBlocks; zeros++)
        {
            headerOffset = input.Position;
            int length = input.ReadFully(block);
            if (length > 0 && !IsZero(block.AsSpan(0, length)))
            {
                Check(zeros == 1 ? "a block of zeros in the middle; the archive is damaged" : null);
                return length == block.Length && TarHeader.HasRightChecksum(block) || LeaveRest();
            }

            if (length < block.Length)
            {
                break;
            }
        }

        return false;
    }

    private bool LeaveRest()
    {
        RestOffset = headerOffset;
        input.Skip(long.MaxValue);
        return false;
    }

    private static bool IsZero(ReadOnlySpan<byte> bytes) => bytes.IndexOfAnyExcept((byte)0) < 0;

    private void ReadEntry(byte type)
    {
        // The name comes first, because messages about the other fields show it.
        path = values.Sparse?.Path ?? values.Path ?? gnuName ?? UstarPath();
        Check(Path.IsEmpty ? "an entry without a name" : null);
        IsHardLink = type == TarHeader.HardLinkType;
        Kind = KindOf(type);
        Check(values.IsMultiVolume ? MultiVolume : null);
        ReadLinkTarget();
        Metadata = ReadMetadata();
        Check(values.ListFault);
        Xattrs = values.EncodeXattrs();
        bool isDevice = Kind is EntryKind.CharacterDevice or EntryKind.BlockDevice;
        DeviceMajor = isDevice ? values.DeviceMajor ?? DeviceNumber(TarHeader.MajorOffset) : 0;
        DeviceMinor = isDevice ? values.DeviceMinor ?? DeviceNumber(TarHeader.MinorOffset) : 0;

        SetContent(ContentSize(type));
        sparse = ReadMap(type);
        if (Kind != EntryKind.Regular)
        {
            SkipContent();
        }

        Size = sparse?.FileSize ?? remaining;
    }

    private EntryKind KindOf(byte type) => type switch
    {
        // In v7 archives, and those of some later programs, a directory is a file whose name ends with a slash.
        _ when IsFile(type) => Path.EndsWith("/"u8) ? EntryKind.Directory : EntryKind.Regular,
        TarHeader.HardLinkType => EntryKind.None,
        TarHeader.SymlinkType => EntryKind.Symlink,
        TarHeader.CharacterDeviceType => EntryKind.CharacterDevice,
        TarHeader.BlockDeviceType => EntryKind.BlockDevice,
        TarHeader.DirectoryType or TarHeader.GnuDirectoryType => EntryKind.Directory,
        TarHeader.FifoType => EntryKind.Fifo,
        TarHeader.GnuSparseType => EntryKind.Regular,
        TarHeader.GnuMultiVolumeType => throw Fault(MultiVolume),
        _ => throw Fault($"an entry of unknown type {TarException.Show([type])}"),
    };

    private static bool IsFile(byte type) => type is TarHeader.OldRegularType or TarHeader.RegularType or TarHeader.ContiguousType;

    private void ReadLinkTarget()
    {
        bool isSymlink = Kind == EntryKind.Symlink;
        linkTarget = !isSymlink && !IsHardLink ? default(ReadOnlyMemory<byte>)
            : values.LinkTarget ?? gnuTarget ?? TarHeader.Text(block.AsSpan(TarHeader.LinkOffset, TarHeader.LinkSize)).ToArray();
        bool isUsable = !isSymlink || LinkTarget.Length is > 0 and <= MaxTarget && LinkTarget.IndexOf((byte)0) < 0;
        Check(isUsable ? null : $"no symbolic link can have this target: {TarException.Show(LinkTarget)}");
    }

    private FileMetadata ReadMetadata() => new(
        Kind == EntryKind.Symlink
            ? FileMetadata.SymlinkMode
            : (ushort)(Number(TarHeader.ModeOffset, TarHeader.NumberSize, "mode", long.MaxValue) & FileMetadata.ModeMask),
        values.Uid ?? (uint)Number(TarHeader.UidOffset, TarHeader.NumberSize, "owner", uint.MaxValue),
        values.Gid ?? (uint)Number(TarHeader.GidOffset, TarHeader.NumberSize, "group", uint.MaxValue),
        values.ModifyTime ?? Number(TarHeader.TimeOffset, TarHeader.LongNumberSize, "time", long.MaxValue, isSigned: true));

    private uint DeviceNumber(int offset) => (uint)Number(offset, TarHeader.NumberSize, "device number", uint.MaxValue);

    private long Number(int offset, int size, string what, long max, bool isSigned = false) =>
        TarHeader.TryNumber(block.AsSpan(offset, size), out long number) && number <= max && (isSigned || number >= 0)
            ? number
            : throw Fault($"its {what} is not a valid number");

    private ReadOnlyMemory<byte> UstarPath()
    {
        ReadOnlySpan<byte> header = block;
        ReadOnlySpan<byte> name = TarHeader.Text(header.Slice(TarHeader.NameOffset, TarHeader.NameSize));
        ReadOnlySpan<byte> prefix = header[TarHeader.MagicOffset..].StartsWith(TarHeader.PosixMagic[..TarHeader.MagicSize])
            ? TarHeader.Text(header.Slice(TarHeader.PrefixOffset, TarHeader.PrefixSize))
            : default;
        int start = prefix.IsEmpty ? 0 : prefix.Length + 1;
        prefix.CopyTo(ustarPath);
        ustarPath[prefix.Length] = (byte)'/';
        name.CopyTo(ustarPath.AsSpan(start));
        return ustarPath.AsMemory(0, start + name.Length);
    }

    /// <summary>The content of a pax header or a GNU long name.</summary>
    private ReadOnlySpan<byte> ReadExtension()
    {
        long size = Number(TarHeader.SizeOffset, TarHeader.LongNumberSize, "size", long.MaxValue);
        Check(size > MaxExtension ? $"a name or pax header of {size} bytes" : null);
        SetContent(size);
        extension = size > extension.Length ? new byte[size] : extension;
        Span<byte> bytes = extension.AsSpan(0, (int)size);
        remaining -= input.ReadFully(bytes);
        SkipContent();
        return bytes;
    }

    private void RequireTar(ReadOnlySpan<byte> start)
    {
        if (TarForeign.FindFault(start, out Remedy? remedy) is { } fault)
        {
            throw Fault(fault, remedy);
        }
    }

    private void Check(string? fault)
    {
        if (fault is not null)
        {
            throw Fault(fault);
        }
    }

    private TarException CutShort() => new(path.IsEmpty
        ? $"the archive ends in the middle of a header (at byte {headerOffset})"
        : $"the archive ends in the middle of {TarException.Show(Path)} (which is at byte {headerOffset})");
}
