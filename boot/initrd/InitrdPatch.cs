using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>What a patch or its removal did.</summary>
public enum PatchResult
{
    /// <summary>The output equals the input, byte for byte.</summary>
    Unchanged,
    /// <summary>HackTree's segment was appended or removed.</summary>
    Changed,
    /// <summary>The initrd had a segment of another version of HackTree, which was replaced.</summary>
    Replaced,
}

/// <summary>
/// Appends HackTree's segment to an initrd, and removes it again. The initrd's own bytes are copied unchanged. The whole initrd is read
/// first; an initrd that cannot be read is not patched.
/// </summary>
public static class InitrdPatch
{
    private const int CopyLength = 1024 * 1024;

    /// <summary>
    /// Appends HackTree's segment and removes an earlier one. Input and output may be the same file. An initrd that dracut made with HackTree's
    /// files in it needs no segment and stays as it is.
    /// </summary>
    /// <param name="input">The initrd.</param>
    /// <param name="output">The patched initrd.</param>
    /// <param name="stop">A request to stop.</param>
    /// <param name="onDoubt">Called with a sentence if nothing that is known reads the segment. If null, such an initrd is refused.</param>
    /// <exception cref="InitrdException">
    /// The input is no initrd, cannot be read completely by HackTree or the kernel, or was made by a program whose init ignores the segment.
    /// </exception>
    public static PatchResult Patch(string input, string output, CancellationToken stop, Action<string>? onDoubt = null)
    {
        using Plan plan = Plan.Make(input, input, stop);
        if (plan.LastOther == null)
        {
            throw new InitrdException($"{input}: it holds nothing but HackTree's segment; give the initrd to boot with");
        }

        if (plan.HasDracutHook)
        {
            plan.Write(output, asItIs: true, []);
            return PatchResult.Unchanged;
        }

        plan.RequireReader(onDoubt);
        byte[] tail = plan.MakeTail();
        bool isSame = plan.Ours.Count == 1 && plan.EndsWith(tail);
        plan.Write(output, isSame, tail);
        return isSame ? PatchResult.Unchanged : plan.Ours.Count > 0 ? PatchResult.Replaced : PatchResult.Changed;
    }

    /// <summary>Checks that the initrd can boot a root once the segment follows it, in the same file or as a second one. Changes nothing.</summary>
    /// <param name="input">The initrd.</param>
    /// <param name="subject">What messages call it.</param>
    /// <param name="stop">A request to stop.</param>
    /// <exception cref="InitrdException">As <see cref="Patch"/>.</exception>
    public static void Require(string input, string subject, CancellationToken stop)
    {
        using Plan plan = Plan.Make(input, subject, stop);
        if (!plan.HasDracutHook)
        {
            plan.RequireReader(onDoubt: null);
        }
    }

    /// <summary>Removes HackTree's segment and the zeros that were added before it. Input and output may be the same file.</summary>
    /// <exception cref="InitrdException">The input is no initrd, or cannot be read completely.</exception>
    public static PatchResult Unpatch(string input, string output, CancellationToken stop)
    {
        using Plan plan = Plan.Make(input, input, stop);
        if (plan.LastOther == null)
        {
            throw new InitrdException($"{input}: it holds nothing but HackTree's segment; without it there is no initrd");
        }

        plan.Write(output, plan.Ours.Count == 0, []);
        return plan.Ours.Count == 0 ? PatchResult.Unchanged : PatchResult.Changed;
    }

    /// <summary>The segment as a separate file. A boot loader can load it after any initrd that <see cref="Require"/> accepts.</summary>
    public static byte[] Segment() => BootSegment.MakeSeparate();

    /// <summary>Writes <see cref="Segment"/> to a file.</summary>
    public static void WriteSegment(string output) => InitrdOutput.Write(output, FileModes.PublicFile, target => target.Append(Segment()));

    /// <summary>Which parts of the input are its own, and which are HackTree's segments.</summary>
    private sealed class Plan : IDisposable
    {
        private readonly FileStream file;
        private readonly string path;
        private readonly string subject;
        private readonly List<(long Start, long End)> kept = [];
        private readonly InitrdMaker maker;

        private Plan(FileStream file, string path, string subject, InitrdScan scan)
        {
            this.file = file;
            this.path = path;
            this.subject = subject;
            maker = scan.Maker;
            List<ScannedSegment> segments = scan.Segments;
            Ours = segments.FindAll(segment => segment.IsOurs);
            LastOther = segments.FindLast(segment => !segment.IsOurs);
            long start = 0;
            foreach (ScannedSegment ours in Ours)
            {
                // What follows a segment in the middle must stay aligned. The segment's length is a multiple of 4, but that of the zeros is
                // not.
                bool isLast = ours.End == file.Length;
                kept.Add((start, ours.Segment.Offset - (isLast ? ours.Padding : 0)));
                start = ours.End;
            }

            kept.Add((start, file.Length));
        }

        internal List<ScannedSegment> Ours { get; }

        internal ScannedSegment? LastOther { get; }

        internal static Plan Make(string path, string subject, CancellationToken stop)
        {
            FileStream file = InitrdReader.OpenFile(path);
            try
            {
                // The scan is complete here, so its reader and stream are closed.
                using var reader = InitrdReader.Open(path, subject, stop);
                return new Plan(file, path, subject, InitrdScan.Run(reader, subject));
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }

        /// <summary>Whether dracut made the initrd with HackTree's hook. Throws if it has the hook of another version.</summary>
        internal bool HasDracutHook => maker.HasDracutHook && (InitrdVerify.Run(path, subject).Problems is not [var problem, ..] ? true
            : throw new InitrdException(problem));

        internal void RequireReader(Action<string>? onDoubt)
        {
            if (maker.Fault(subject) is not { } fault)
            {
                return;
            }

            if (maker.IsKnown || onDoubt == null)
            {
                throw new InitrdException(fault);
            }

            onDoubt(fault);
        }

        /// <summary>
        /// The segment to append to the kept parts. Right behind a compressed stream it is packed in the same way, so that programs that hand the rest
        /// of the file to one decompressor read it too. Elsewhere it is bare, behind zeros that align it.
        /// </summary>
        internal byte[] MakeTail()
        {
            Compression compression = LastOther!.Segment.Compression;
            long zeros = kept.Sum(part => Math.Max(0, part.End - Math.Max(part.Start, LastOther.End)));

            // The kernel reads a second frame of lz4 as a part of the first, and wants archives at multiples of 4 bytes in it.
            bool isAligned = compression != Compression.Lz4 || LastOther.UnpackedLength % CpioHeader.Alignment == 0;
            if (zeros == 0 && isAligned && SegmentPacking.CanFollow(compression))
            {
                return SegmentPacking.Pack(compression, BootSegment.Make(0));
            }

            int padding = CpioHeader.Padding(kept.Sum(part => part.End - part.Start));
            if (compression == Compression.Lz4 && zeros + padding < Lz4Decoder.EndLength)
            {
                padding += Lz4Decoder.EndLength;
            }

            return [.. new byte[padding], .. BootSegment.Make(padding)];
        }

        internal bool EndsWith(byte[] tail)
        {
            if (file.Length < tail.Length || Ours[^1].Segment.Offset - Ours[^1].Padding != file.Length - tail.Length)
            {
                return false;
            }

            byte[] bytes = new byte[tail.Length];
            file.Position = file.Length - tail.Length;
            file.ReadExactly(bytes);
            return bytes.AsSpan().SequenceEqual(tail);
        }

        /// <summary>Writes the output: the kept parts and the tail, or the unchanged input.</summary>
        internal void Write(string output, bool asItIs, byte[] tail)
        {
            if (asItIs && IsSameFile(output))
            {
                return;
            }

            InitrdOutput.WriteLike(file, path, output, target =>
            {
                foreach ((long start, long end) in asItIs ? [(0, file.Length)] : kept)
                {
                    Copy(target, start, end);
                }

                target.Append(asItIs ? [] : tail);
            });
        }

        public void Dispose() => file.Dispose();

        private bool IsSameFile(string output) => Path.GetFullPath(output) == Path.GetFullPath(path);

        private void Copy(DurableFile target, long start, long end)
        {
            byte[] buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(CopyLength, end - start));
            file.Position = start;
            for (long left = end - start; left > 0;)
            {
                Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, left));
                file.ReadExactly(part);
                target.Append(part);
                left -= part.Length;
            }
        }
    }
}
