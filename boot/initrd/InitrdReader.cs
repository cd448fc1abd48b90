using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>A segment of an initrd: one bare cpio archive, or one compressed stream of such.</summary>
/// <param name="Number">Counted from 1.</param>
/// <param name="Offset">Where it begins in the file.</param>
/// <param name="Compression">How it is packed.</param>
public readonly record struct InitrdSegment(int Number, long Offset, Compression Compression);

/// <summary>
/// Reads an initrd front to back as the kernel does (init/initramfs.c): segments one after the other, each bare or packed in its own
/// way, with any number of zeros between; bare ones, and what follows them, at multiples of 4 bytes. Whatever the bytes, there are entries or an
/// <see cref="InitrdException"/>.
/// </summary>
public sealed class InitrdReader : IDisposable
{
    private const int BufferLength = 64 * 1024;
    private const int MaxShown = 200;

    private readonly Stream file;
    private readonly string subject;
    private Decoder? decoder;
    private ByteInput? input;
    private CpioReader? archive;
    private InitrdSegment segment;
    private bool mustBeAligned;

    internal InitrdReader(Stream file, string subject)
    {
        this.file = file;
        this.subject = subject;
    }

    /// <summary>The segment that is being read.</summary>
    public InitrdSegment Segment => segment;

    /// <summary>Which archive of the segment the entry is in: only entries of one archive can be names of one file.</summary>
    public int ArchiveNumber { get; private set; }

    /// <summary>Where the last segment that was read to its end ends in the file; zeros behind it not counted.</summary>
    public long End { get; private set; }

    /// <summary>The entry's header.</summary>
    public CpioHeader Header => Archive.Header;

    /// <summary>The entry's name as the archive has it, any bytes but NUL. Until the next entry.</summary>
    public ReadOnlySpan<byte> Name => Archive.Name;

    /// <summary>A symbolic link's target. Until the next entry.</summary>
    public ReadOnlySpan<byte> Target => Archive.Target;

    private CpioReader Archive => archive ?? throw new InvalidOperationException("no entry was read");

    /// <summary>Opens a file.</summary>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public static InitrdReader Open(string path) => new(OpenFile(path), path);

    /// <summary>Goes to the next segment, past entries that were not read; false at the end.</summary>
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
            return segment.Number > 0 ? false : throw new InitrdException($"{subject}: there is nothing in it; an initrd is a cpio archive or several");
        }

        OpenSegment();
        return true;
    }

    /// <summary>Goes to the segment's next entry, past content that was not read; false at the segment's end.</summary>
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
                // What comes next may be packed: found in the file, not here.
                EndSegment(segment.Offset + input.Position);
            }
            else
            {
                FindNextArchive(input);
            }
        }

        return false;
    }

    /// <summary>Reads content of the entry, at least one byte; 0 at its end.</summary>
    public int ReadContent(Span<byte> buffer) => Archive.ReadContent(buffer);

    /// <summary>An exception about the entry, with its name and place.</summary>
    public InitrdException Fault(string fault) => Archive.Fault(fault);

    /// <inheritdoc/>
    public void Dispose()
    {
        decoder?.Dispose();
        file.Dispose();
    }

    /// <summary>A name for a message: an archive may hold a long one.</summary>
    internal static string Show(ReadOnlySpan<byte> name) => name.Length <= MaxShown ? ByteText.Quote(name) : ByteText.Quote(name[..MaxShown]) + "...";

    internal static FileStream OpenFile(string path)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle handle).ThrowIfFailed("openat", path);
        var stream = new FileStream(handle, FileAccess.Read, BufferLength);
        try
        {
            Sys.Stat(handle, out FileStatus status).ThrowIfFailed("statx", path);
            return status.Type == FileType.Regular ? stream : throw new InitrdException($"{path}: not a regular file; give an initrd, such as /boot/initrd.img-*");
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
        string place = $"{subject}: segment {segment.Number} ({Lower(compression)}) at byte {offset}";
        if ((compression == Compression.None || mustBeAligned) && offset % CpioHeader.Alignment != 0)
        {
            throw new InitrdException($"{place}: it does not begin at a multiple of {CpioHeader.Alignment} bytes, so the kernel would not take it");
        }

        decoder = new LateDecoder(() => Compressions.Open(compression, file));
        input = new ByteInput(decoder, place);
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
            throw unpacked.Fault(unpacked.Position, "something that is no cpio archive follows one");
        }
    }

    private void EndSegment(long end)
    {
        End = end;
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

    private static string Lower(Compression compression) => compression == Compression.None ? "bare cpio" : compression.ToString().ToLowerInvariant();

    /// <summary>Opened when first read, where what a decoder says of its header is caught as well.</summary>
    private sealed class LateDecoder(Func<Decoder> open) : Decoder
    {
        private Decoder? opened;

        internal override int Read(Span<byte> buffer) => (opened ??= open()).Read(buffer);

        public override void Dispose()
        {
            opened?.Dispose();
            base.Dispose();
        }
    }
}
