using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>A segment that was read completely.</summary>
/// <param name="Segment">Its place and compression.</param>
/// <param name="End">The end of the segment in the file.</param>
/// <param name="IsOurs">Whether `initrd patch` appended it.</param>
/// <param name="Padding">For a segment of ours, the number of zeros before it that were added with it.</param>
/// <param name="IsOfDracut">Whether dracut made it.</param>
internal sealed record ScannedSegment(InitrdSegment Segment, long End, bool IsOurs, int Padding, bool IsOfDracut);

/// <summary>Reads a whole initrd and finds HackTree's segment in it.</summary>
internal static class InitrdScan
{
    private const int MaxVersion = 256;

    /// <summary>The directory of hooks in dracut's initrds. They ignore scripts/, where HackTree's segment has its script.</summary>
    private static ReadOnlySpan<byte> DracutHooks => "usr/lib/dracut/hooks"u8;

    /// <summary>Says why HackTree's segment has no effect in an initrd; null if it has.</summary>
    internal static string? Fault(List<ScannedSegment> segments, string subject) => segments.Exists(segment => segment.IsOfDracut)
        ? $"{subject}: dracut made it, and dracut ignores an appended segment; run `hacktree initrd install` and make the initrd again with dracut"
        : null;

    /// <summary>Called for each entry, before its content is read.</summary>
    internal delegate void EntryVisitor(InitrdReader reader);

    internal static List<ScannedSegment> Run(InitrdReader reader, string subject, EntryVisitor? visitor = null)
    {
        var segments = new List<ScannedSegment>();
        while (reader.NextSegment())
        {
            InitrdSegment segment = reader.Segment;
            byte[]? version = ReadEntries(reader, visitor, out bool isOfDracut);
            int? padding = version == null ? 0 : BootSegment.PaddingOf(version);
            long before = segments.Count == 0 ? 0 : segments[^1].End;
            if (padding == null || segment.Offset - padding < before)
            {
                throw new InitrdException(
                    $"{subject}: {BootSegment.VersionPath} in segment {segment.Number} does not say how many zeros stand before it; "
                    + "make the initrd again with update-initramfs or dracut");
            }

            segments.Add(new ScannedSegment(segment, reader.End, version != null, padding.Value, isOfDracut));
        }

        return segments;
    }

    /// <summary>Reads a segment's entries. Returns the content of hacktree/version if the segment begins as HackTree's does.</summary>
    private static byte[]? ReadEntries(InitrdReader reader, EntryVisitor? visitor, out bool isOfDracut)
    {
        byte[]? version = null;
        isOfDracut = false;
        bool canBeOurs = reader.Segment.Compression is Compression.None or Compression.Gzip;
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

            isOfDracut |= reader.Name.TrimStart("./"u8).StartsWith(DracutHooks);
            visitor?.Invoke(reader);
        }

        return version;
    }
}
