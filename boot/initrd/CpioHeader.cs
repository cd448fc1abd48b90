using System.Buffers.Text;
using System.Globalization;
using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>
/// The header of one entry of a "newc" cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel):
/// <code>
///   0 magic    6   070701, or 070702 where the checksum counts
///   6 ino      8   eight hexadecimal digits, like all that follow
///  14 mode     8   22 uid       8   30 gid       8
///  38 nlink    8   46 mtime     8   54 filesize  8
///  62 maj      8   70 min       8                     the device that the inode number is of
///  78 rmaj     8   86 rmin      8                     a device node's own number
///  94 namesize 8   with its NUL
/// 102 chksum   8   the sum of all bytes of the content, or 0
/// 110 the name; zeros up to a multiple of 4; the content; zeros up to a multiple of 4
/// </code>
/// </summary>
public readonly record struct CpioHeader
{
    /// <summary>Bytes of a header.</summary>
    internal const int Length = 110;

    /// <summary>Headers, contents and segments begin at multiples of this number of bytes.</summary>
    internal const int Alignment = 4;

    private const int MagicLength = 6;
    private const int NumberLength = 8;

    internal static ReadOnlySpan<byte> Magic => "070701"u8;

    internal static ReadOnlySpan<byte> CheckedMagic => "070702"u8;

    /// <summary>The last entry of every archive has this name.</summary>
    internal static ReadOnlySpan<byte> Trailer => "TRAILER!!!"u8;

    /// <summary>Whether <see cref="Checksum"/> must be right.</summary>
    public bool HasChecksum { get; init; }

    /// <summary>
    /// Inode number. Entries with equal <see cref="Inode"/>, <see cref="Major"/> and <see cref="Minor"/> are names of one file.
    /// </summary>
    public uint Inode { get; init; }

    /// <summary>File type and permission bits, as in st_mode.</summary>
    public uint Mode { get; init; }

    /// <summary>Owner.</summary>
    public uint Uid { get; init; }

    /// <summary>Group.</summary>
    public uint Gid { get; init; }

    /// <summary>The number of names of the file, as the archive claims.</summary>
    public uint LinkCount { get; init; }

    /// <summary>Seconds since 1970.</summary>
    public uint ModifyTime { get; init; }

    /// <summary>The length of the content. The content of a symbolic link is its target.</summary>
    public uint Size { get; init; }

    /// <summary>Major number of the device that the inode number belongs to.</summary>
    public uint Major { get; init; }

    /// <summary>Minor number of the device that the inode number belongs to.</summary>
    public uint Minor { get; init; }

    /// <summary>A device node's major number.</summary>
    public uint DeviceMajor { get; init; }

    /// <summary>A device node's minor number.</summary>
    public uint DeviceMinor { get; init; }

    /// <summary>The length of the name, including its NUL.</summary>
    public uint NameSize { get; init; }

    /// <summary>The sum of the content's bytes.</summary>
    public uint Checksum { get; init; }

    /// <summary>The file type.</summary>
    public FileType Type => (FileType)(Mode & 0xF000);

    /// <summary>The 12 permission bits.</summary>
    public ushort Permissions => (ushort)(Mode & FileModes.AllBits);

    /// <summary>The number of zeros after <paramref name="length"/> bytes.</summary>
    internal static int Padding(long length) => (int)(-length & (Alignment - 1));

    /// <summary>Reads a header; false if the magic number or a digit is wrong.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> bytes, out CpioHeader header)
    {
        header = default;
        ReadOnlySpan<byte> magic = bytes[..MagicLength];
        if (!magic.SequenceEqual(Magic) && !magic.SequenceEqual(CheckedMagic))
        {
            return false;
        }

        Span<uint> numbers = stackalloc uint[(Length - MagicLength) / NumberLength];
        for (int i = 0; i < numbers.Length; i++)
        {
            ReadOnlySpan<byte> digits = bytes.Slice(MagicLength + (i * NumberLength), NumberLength);
            if (!Utf8Parser.TryParse(digits, out numbers[i], out int used, 'x') || used != NumberLength)
            {
                return false;
            }
        }

        header = new CpioHeader
        {
            HasChecksum = magic.SequenceEqual(CheckedMagic),
            Inode = numbers[0],
            Mode = numbers[1],
            Uid = numbers[2],
            Gid = numbers[3],
            LinkCount = numbers[4],
            ModifyTime = numbers[5],
            Size = numbers[6],
            Major = numbers[7],
            Minor = numbers[8],
            DeviceMajor = numbers[9],
            DeviceMinor = numbers[10],
            NameSize = numbers[11],
            Checksum = numbers[12],
        };
        return true;
    }

    /// <summary>The header's bytes.</summary>
    internal byte[] Encode()
    {
        var text = new StringBuilder(Length);
        text.Append(HasChecksum ? "070702" : "070701");
        ReadOnlySpan<uint> numbers = [Inode, Mode, Uid, Gid, LinkCount, ModifyTime, Size, Major, Minor, DeviceMajor, DeviceMinor, NameSize, Checksum];
        foreach (uint number in numbers)
        {
            text.Append(CultureInfo.InvariantCulture, $"{number:X8}");
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }
}
