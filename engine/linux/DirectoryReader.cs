using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>
/// Reads the entries of one open directory with getdents64(2), without "." and "..", in the filesystem's order.
/// One reader serves many directories in turn; <see cref="Name"/> is valid until the next call.
/// </summary>
/// <remarks>
/// struct linux_dirent64, little-endian: 0 u64 inode, 8 i64 next offset, 16 u16 record length, 18 u8 type, 19 name, NUL.
/// </remarks>
public sealed unsafe class DirectoryReader
{
    internal const int InodeOffset = 0;
    internal const int RecordLengthOffset = 16;
    internal const int TypeOffset = 18;
    internal const int NameOffset = 19;

    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
    private SafeFileHandle? directory;
    private object subject = "";
    private int filled;
    private int next;
    private int nameStart;
    private int nameLength;

    /// <summary>The name of the entry that <see cref="Next"/> came to; empty after the last one.</summary>
    public ReadOnlySpan<byte> Name => buffer.AsSpan(nameStart, nameLength);

    /// <summary>
    /// The inode number that the directory holds for the entry. statx(2) may give another number: at a mount point, and on overlayfs.
    /// </summary>
    public ulong Inode { get; private set; }

    /// <summary>The type of the entry. <see cref="FileType.Unknown"/> if the filesystem does not say.</summary>
    public FileType Type { get; private set; }

    /// <summary>The type of the entry, asked of statx(2) if the filesystem does not say. Unknown if the entry is gone meanwhile.</summary>
    public FileType FindType() =>
        Type == FileType.Unknown && Sys.Stat(directory!, Name, out FileStatus status) == Errno.None ? status.Type : Type;

    /// <summary>
    /// Opens an open directory a second time, so that a reader can list it. Each reader needs a descriptor of its own, because the position
    /// belongs to the descriptor. A descriptor opened with <see cref="OpenFlags.Path"/> cannot be listed at all. Throws
    /// <see cref="LinuxException"/>.
    /// </summary>
    public static SafeFileHandle Reopen(SafeFileHandle directory, string subject)
    {
        Sys.Open(directory, "."u8, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle again).ThrowIfFailed("openat", subject);
        return again;
    }

    /// <summary>
    /// Starts at the beginning of a directory opened for reading. The caller keeps owning it. Two readers of one descriptor disturb each
    /// other, because the position belongs to the descriptor. <paramref name="subject"/> names the directory in errors; its text is made
    /// only for an error.
    /// </summary>
    public void Start(SafeFileHandle directory, object subject)
    {
        this.directory = directory;
        this.subject = subject;
        filled = next = nameLength = 0;

        // btrfs lists what the directory held when it was opened. Seeking to the start makes btrfs look again. If the seek fails, this is
        // no directory, and Next reports it.
        _ = Native.LSeek(directory, 0, 0);
    }

    /// <summary>Moves to the next entry; false at the end. Throws <see cref="LinuxException"/> if the directory cannot be read.</summary>
    public bool Next()
    {
        while (true)
        {
            if (next >= filled && !Fill())
            {
                nameLength = 0;
                return false;
            }

            Span<byte> record = buffer.AsSpan(next, filled - next);
            record = record[..BinaryPrimitives.ReadUInt16LittleEndian(record[RecordLengthOffset..])];
            Inode = BinaryPrimitives.ReadUInt64LittleEndian(record[InodeOffset..]);
            Type = (FileType)(record[TypeOffset] << 12);
            nameStart = next + NameOffset;
            nameLength = record[NameOffset..].IndexOf((byte)0);
            next += record.Length;
            if (!Name.SequenceEqual("."u8) && !Name.SequenceEqual(".."u8))
            {
                return true;
            }
        }
    }

    private bool Fill()
    {
        fixed (byte* p = buffer)
        {
            nint got = Native.GetDents64(directory!, p, buffer.Length);
            if (got < 0)
            {
                throw new LinuxException((Errno)System.Runtime.InteropServices.Marshal.GetLastPInvokeError(), "getdents64", subject.ToString() ?? "");
            }

            filled = (int)got;
            next = 0;
            return got > 0;
        }
    }
}
