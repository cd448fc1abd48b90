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

    /// <summary>Appends HackTree's segment and removes an earlier one. Input and output may be the same file.</summary>
    /// <exception cref="InitrdException">The input is no initrd, cannot be read completely, or was made by dracut.</exception>
    public static PatchResult Patch(string input, string output, CancellationToken stop)
    {
        using Plan plan = Plan.Make(input, stop);
        if (plan.LastOther == null)
        {
            throw new InitrdException($"{input}: it holds nothing but HackTree's segment; give the initrd to boot with");
        }

        plan.RequireReader();
        byte[] tail = plan.MakeTail();
        bool isSame = plan.Ours.Count == 1 && plan.EndsWith(tail);
        plan.Write(output, isSame, tail);
        return isSame ? PatchResult.Unchanged : plan.Ours.Count > 0 ? PatchResult.Replaced : PatchResult.Changed;
    }

    /// <summary>Checks that an appended segment would have an effect. Changes nothing.</summary>
    /// <exception cref="InitrdException">The input is no initrd, cannot be read completely, or was made by dracut.</exception>
    public static void Require(string input, CancellationToken stop)
    {
        using Plan plan = Plan.Make(input, stop);
        plan.RequireReader();
    }

    /// <summary>Removes HackTree's segment and the zeros that were added before it. Input and output may be the same file.</summary>
    /// <exception cref="InitrdException">The input is no initrd, or cannot be read completely.</exception>
    public static PatchResult Unpatch(string input, string output, CancellationToken stop)
    {
        using Plan plan = Plan.Make(input, stop);
        if (plan.LastOther == null)
        {
            throw new InitrdException($"{input}: it holds nothing but HackTree's segment; without it there is no initrd");
        }

        plan.Write(output, plan.Ours.Count == 0, []);
        return plan.Ours.Count == 0 ? PatchResult.Unchanged : PatchResult.Changed;
    }

    /// <summary>The segment as a separate file, packed with gzip. A boot loader can load it after the initrd.</summary>
    public static byte[] Segment() => BootSegment.MakePacked();

    /// <summary>Writes <see cref="Segment"/> to a file.</summary>
    public static void WriteSegment(string output) => InitrdOutput.Write(output, FileModes.PublicFile, target => target.Append(Segment()));

    /// <summary>Which parts of the input are its own, and which are HackTree's segments.</summary>
    private sealed class Plan : IDisposable
    {
        private readonly FileStream file;
        private readonly string path;
        private readonly List<(long Start, long End)> kept = [];
        private readonly string? fault;

        private Plan(FileStream file, string path, List<ScannedSegment> segments)
        {
            fault = InitrdScan.Fault(segments, path);
            this.file = file;
            this.path = path;
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

        internal static Plan Make(string path, CancellationToken stop)
        {
            FileStream file = InitrdReader.OpenFile(path);
            try
            {
                // The scan is complete here, so its reader and stream are closed.
                using var reader = InitrdReader.Open(path, stop);
                return new Plan(file, path, InitrdScan.Run(reader, path));
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }

        internal void RequireReader()
        {
            if (fault is not null)
            {
                throw new InitrdException(fault);
            }
        }

        /// <summary>The zeros and the segment to append to the kept parts.</summary>
        internal byte[] MakeTail()
        {
            long length = kept.Sum(part => part.End - part.Start);
            int padding = CpioHeader.Padding(length);
            long zeros = kept.Sum(part => Math.Max(0, part.End - Math.Max(part.Start, LastOther!.End)));
            if (LastOther!.Segment.Compression == Compression.Lz4 && zeros + padding < Lz4Decoder.EndLength)
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
