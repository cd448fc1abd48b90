using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>A segment that was read completely.</summary>
/// <param name="Segment">Its place and compression.</param>
/// <param name="End">The end of the segment in the file.</param>
/// <param name="IsOurs">Whether `initrd patch` appended it.</param>
/// <param name="Padding">For a segment of ours, the number of zeros before it that were added with it.</param>
/// <param name="UnpackedLength">The length of what is in it.</param>
internal sealed record ScannedSegment(InitrdSegment Segment, long End, bool IsOurs, int Padding, long UnpackedLength);

/// <summary>Reads a whole initrd, finds HackTree's segment in it, and finds out who made the rest.</summary>
/// <param name="Segments">Its segments.</param>
/// <param name="Maker">The program that made it.</param>
internal sealed record InitrdScan(List<ScannedSegment> Segments, InitrdMaker Maker)
{
    private const int MaxVersion = 256;

    /// <summary>Called for each entry, before its content is read.</summary>
    internal delegate void EntryVisitor(InitrdReader reader);

    /// <summary>Says why HackTree's files have no effect in the initrd; null if they have.</summary>
    internal string? Fault(string subject) => Maker.HasDracutHook || Segments.TrueForAll(segment => segment.IsOurs) ? null : Maker.Fault(subject);

    /// <exception cref="InitrdException">It cannot be read completely, or the kernel could not.</exception>
    internal static InitrdScan Run(InitrdReader reader, string subject, EntryVisitor? visitor = null)
    {
        var scan = new InitrdScan([], new InitrdMaker());
        List<ScannedSegment> segments = scan.Segments;
        while (reader.NextSegment())
        {
            InitrdSegment segment = reader.Segment;
            byte[]? version = scan.ReadEntries(reader, visitor);
            if (reader.KernelFault is { } fault)
            {
                throw new InitrdException(fault);
            }

            int? padding = version == null ? 0 : BootSegment.PaddingOf(version);
            long before = segments.Count == 0 ? 0 : segments[^1].End;
            if (padding == null || segment.Offset - padding < before)
            {
                throw new InitrdException(
                    $"{subject}: {BootSegment.VersionPath} in segment {segment.Number} does not say how many zeros stand before it; "
                    + "make the initrd again with update-initramfs or dracut");
            }

            segments.Add(new ScannedSegment(segment, reader.End, version != null, padding.Value, reader.UnpackedLength));
        }

        return scan;
    }

    /// <summary>Reads a segment's entries. Returns the content of hacktree/version if the segment begins as HackTree's does.</summary>
    private byte[]? ReadEntries(InitrdReader reader, EntryVisitor? visitor)
    {
        byte[]? version = null;
        bool canBeOurs = true;
        for (int i = 0; reader.NextEntry(); i++)
        {
            if (i == 0)
            {
                canBeOurs &= reader.Header.Type == FileType.Directory && reader.Name.SequenceEqual("hacktree"u8);
            }
            else if (i == 1 && canBeOurs && reader.Name.SequenceEqual("hacktree/version"u8))
            {
                version = new byte[Math.Min(reader.Header.Size, MaxVersion)];
                int count = reader.ReadContent(version);
                version = version[..count];
                continue;
            }

            Maker.See(reader.Name);
            visitor?.Invoke(reader);
        }

        return version;
    }
}
