using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>An initrd cannot be used as it is. The message is one sentence for the user.</summary>
public sealed class InitrdException(string message) : IOException(message);

/// <summary>A segment of an initrd: one bare cpio archive, or one compressed stream of cpio archives.</summary>
/// <param name="Number">The segment's number, counted from 1.</param>
/// <param name="Offset">The position of its first byte in the file.</param>
/// <param name="Compression">Its compression.</param>
public readonly record struct InitrdSegment(int Number, long Offset, Compression Compression);

/// <summary>
/// Reads an initrd front to back as the kernel does (init/initramfs.c). An initrd is a sequence of segments, each bare or compressed in its
/// own way, with any number of zeros between them. Bare segments, and segments that follow them, begin at multiples of 4 bytes. Any bytes
/// give either entries or an <see cref="InitrdException"/>.
/// </summary>
public sealed class InitrdReader : IDisposable
{
    private const int BufferLength = 64 * 1024;
    private const int MaxShown = 200;

    private readonly Stream file;
    private readonly string subject;
    private readonly CancellationToken stop;
    private Decoder? decoder;
    private ByteInput? input;
    private CpioReader? archive;
    private InitrdSegment segment;
    private bool mustBeAligned;

    internal InitrdReader(Stream file, string subject, CancellationToken stop = default)
    {
        this.file = file;
        this.subject = subject;
        this.stop = stop;
    }

    /// <summary>The current segment.</summary>
    public InitrdSegment Segment => segment;

    /// <summary>The number of the entry's archive within the segment. Only entries of one archive can be names of one file.</summary>
    public int ArchiveNumber { get; private set; }

    /// <summary>The end, in the file, of the last segment that was read to its end. Zeros behind the segment do not count.</summary>
    public long End { get; private set; }

    /// <summary>Why the kernel would refuse the current segment although it is undamaged; null if it would not. Complete at the segment's end.</summary>
    internal string? KernelFault => decoder?.KernelFault is { } fault ? $"{Place}: {fault}" : null;

    /// <summary>The unpacked length of the last segment that was read to its end.</summary>
    internal long UnpackedLength { get; private set; }

    /// <summary>The entry's header.</summary>
    public CpioHeader Header => Archive.Header;

    /// <summary>The entry's name in the archive: any bytes except NUL. Valid until the next entry.</summary>
    public ReadOnlySpan<byte> Name => Archive.Name;

    /// <summary>A symbolic link's target. Valid until the next entry.</summary>
    public ReadOnlySpan<byte> Target => Archive.Target;

    private string Place => $"{subject}: segment {segment.Number} ({Lower(segment.Compression)}) at byte {segment.Offset}";

    private CpioReader Archive => archive ?? throw new InvalidOperationException("no entry was read");

    /// <summary>Opens an initrd.</summary>
    /// <exception cref="LinuxException">The file cannot be opened.</exception>
    public static InitrdReader Open(string path, CancellationToken stop = default) => Open(path, path, stop);

    /// <summary>Opens an initrd that messages call by another name than its path.</summary>
    internal static InitrdReader Open(string path, string subject, CancellationToken stop) => new(OpenFile(path), subject, stop);

    /// <summary>Moves to the next segment and skips entries that were not read; false at the end.</summary>
    public bool NextSegment()
    {
        while (NextEntry())
        {
        }

        decoder?.Dispose();
        decoder = null;
        input = null;
        file.Position = End;
        if (!SkipZeros())
        {
            return segment.Number > 0
                ? false
                : throw new InitrdException($"{subject}: there is nothing in it; an initrd consists of one or several cpio archives");
        }

        OpenSegment();
        return true;
    }

    /// <summary>Moves to the segment's next entry and skips content that was not read; false at the segment's end.</summary>
    public bool NextEntry()
    {
        while (input != null)
        {
            if (archive == null)
            {
                archive = new CpioReader(input);
                ArchiveNumber++;
            }

            if (archive.Next())
            {
                return true;
            }

            archive = null;
            if (segment.Compression == Compression.None)
            {
                // The next segment may be compressed, so it is looked for in the file. The zeros that align the end belong to this archive.
                EndSegment(Math.Min(file.Length, segment.Offset + input.Position + CpioHeader.Padding(input.Position)));
            }
            else
            {
                FindNextArchive(input);
            }
        }

        return false;
    }

    /// <summary>Reads content of the entry: at least one byte, or 0 at its end.</summary>
    public int ReadContent(Span<byte> buffer) => Archive.ReadContent(buffer);

    /// <summary>An exception about the entry. Its message has the entry's name and place.</summary>
    public InitrdException Fault(string fault) => Archive.Fault(fault);

    /// <inheritdoc/>
    public void Dispose()
    {
        decoder?.Dispose();
        file.Dispose();
    }

    /// <summary>A name for a message, cut to a readable length.</summary>
    internal static string Show(ReadOnlySpan<byte> name) =>
        name.Length <= MaxShown ? ByteText.Quote(name) : ByteText.Quote(name[..MaxShown]) + "...";

    internal static FileStream OpenFile(string path)
    {
        SafeFileHandle handle = OpenPath.File(path, OpenFlags.NonBlocking);
        var stream = new FileStream(handle, FileAccess.Read, BufferLength);
        try
        {
            Sys.Stat(handle, out FileStatus status).ThrowIfFailed("statx", path);
            return status.Type == FileType.Regular
                ? stream
                : throw new InitrdException($"{path}: not a regular file; give an initrd, such as /boot/initrd.img-*");
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private void OpenSegment()
    {
        long offset = file.Position;
        Span<byte> magic = stackalloc byte[Compressions.MagicLength];
        magic = magic[..file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false)];
        file.Position = offset;
        Compression compression = Compressions.Detect(magic, out string fault)
            ?? throw new InitrdException($"{subject}: segment {segment.Number + 1} at byte {offset}: {fault}");
        segment = new InitrdSegment(segment.Number + 1, offset, compression);
        if ((compression == Compression.None || mustBeAligned) && offset % CpioHeader.Alignment != 0)
        {
            throw new InitrdException(
                $"{Place}: it does not begin at a multiple of {CpioHeader.Alignment} bytes, so the kernel would refuse it");
        }

        decoder = new LateDecoder(() => Compressions.Open(compression, file));
        input = new ByteInput(decoder, Place, stop);
        ArchiveNumber = 0;
        mustBeAligned = compression == Compression.None;
    }

    private void FindNextArchive(ByteInput unpacked)
    {
        int next = unpacked.SkipZeros();
        if (next < 0)
        {
            EndSegment(file.Position);
        }
        else if (next != '0')
        {
            throw unpacked.Fault(unpacked.Position, "a cpio archive is followed by bytes that are no cpio archive");
        }
        else if (unpacked.Position % CpioHeader.Alignment != 0)
        {
            throw unpacked.Fault(
                unpacked.Position, $"a cpio archive does not begin at a multiple of {CpioHeader.Alignment} bytes, so the kernel would refuse it");
        }
    }

    private void EndSegment(long end)
    {
        End = end;
        UnpackedLength = input!.Position;
        input = null;
    }

    private bool SkipZeros()
    {
        Span<byte> buffer = stackalloc byte[4096];
        while (file.Read(buffer) is var count and > 0)
        {
            int zeros = buffer[..count].IndexOfAnyExcept((byte)0);
            if (zeros >= 0)
            {
                file.Position -= count - zeros;
                return true;
            }
        }

        return false;
    }

    private static string Lower(Compression compression) =>
        compression == Compression.None ? "bare cpio" : compression.ToString().ToLowerInvariant();

    /// <summary>Opens a decoder at the first read, so that a fault in the stream's header is caught where other faults are.</summary>
    private sealed class LateDecoder(Func<Decoder> open) : Decoder
    {
        private Decoder? opened;

        public override string? KernelFault => opened?.KernelFault;

        public override int Read(Span<byte> buffer) => (opened ??= open()).Read(buffer);

        public override bool TryGoOn() => opened?.TryGoOn() ?? false;

        public override void Dispose()
        {
            opened?.Dispose();
            base.Dispose();
        }
    }
}
