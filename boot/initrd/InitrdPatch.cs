using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>What patching or unpatching did.</summary>
public enum PatchResult
{
    /// <summary>The output is the input, byte for byte.</summary>
    Unchanged,
    /// <summary>Our segment was appended, or taken away.</summary>
    Changed,
    /// <summary>Our segment was there, made by another version, and was replaced.</summary>
    Replaced,
}

/// <summary>
/// Appends our segment to an initrd, and takes it away again. The initrd's own bytes are copied and never looked into but to be read
/// whole first: what cannot be read is not patched.
/// </summary>
public static class InitrdPatch
{
    private const int CopyLength = 1024 * 1024;

    /// <summary>Appends our segment, in place of one that is there. Input and output may be one file.</summary>
    /// <exception cref="InitrdException">The input is no initrd, not one that can be read whole, or dracut's.</exception>
    public static PatchResult Patch(string input, string output)
    {
        using Plan plan = Plan.Make(input);
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

    /// <summary>Looks whether the segment would do anything behind an initrd.</summary>
    /// <exception cref="InitrdException">The input is no initrd, cannot be read whole, or is dracut's.</exception>
    public static void Require(string input)
    {
        using Plan plan = Plan.Make(input);
        plan.RequireReader();
    }

    /// <summary>Takes our segment away, and the zeros that were put before it. Input and output may be one file.</summary>
    /// <exception cref="InitrdException">The input is no initrd, or not one that can be read whole.</exception>
    public static PatchResult Unpatch(string input, string output)
    {
        using Plan plan = Plan.Make(input);
        if (plan.LastOther == null)
        {
            throw new InitrdException($"{input}: it holds nothing but HackTree's segment; without it there is no initrd");
        }

        plan.Write(output, plan.Ours.Count == 0, []);
        return plan.Ours.Count == 0 ? PatchResult.Unchanged : PatchResult.Changed;
    }

    /// <summary>The segment as a file of its own, packed with gzip: a boot loader puts it behind the initrd.</summary>
    public static byte[] Segment() => BootSegment.MakePacked();

    /// <summary>Writes <see cref="Segment"/> to a file.</summary>
    public static void WriteSegment(string output) => NewFile.Write(output, FileModes.PublicFile, target => target.Append(Segment()));

    /// <summary>Which parts of the input are its own, and which are ours.</summary>
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
                // What follows in the middle keeps its alignment: our segment is a multiple of 4 bytes long, the zeros are not.
                bool isLast = ours.End == file.Length;
                kept.Add((start, ours.Segment.Offset - (isLast ? ours.Padding : 0)));
                start = ours.End;
            }

            kept.Add((start, file.Length));
        }

        internal List<ScannedSegment> Ours { get; }

        internal ScannedSegment? LastOther { get; }

        internal static Plan Make(string path)
        {
            FileStream file = InitrdReader.OpenFile(path);
            try
            {
                // The reader closes its stream, and is done with it here.
                using var reader = new InitrdReader(InitrdReader.OpenFile(path), path);
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

        /// <summary>The zeros and the segment to append to what is kept.</summary>
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

        /// <summary>Writes the output: what is kept and the tail, or all as it is.</summary>
        internal void Write(string output, bool asItIs, byte[] tail)
        {
            if (asItIs && IsSameFile(output))
            {
                return;
            }

            NewFile.WriteLike(file, path, output, target =>
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

        private void Copy(NewFile target, long start, long end)
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
