using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>A segment that was read whole.</summary>
/// <param name="Segment">Where and how it is.</param>
/// <param name="End">Where it ends.</param>
/// <param name="IsOurs">Whether it is one that `initrd patch` appended.</param>
/// <param name="Padding">Of ours: how many zeros before it were put there with it.</param>
/// <param name="IsOfDracut">Whether dracut made it.</param>
internal sealed record ScannedSegment(InitrdSegment Segment, long End, bool IsOurs, int Padding, bool IsOfDracut);

/// <summary>Reads an initrd whole and finds our segment in it.</summary>
internal static class InitrdScan
{
    private const int MaxVersion = 256;

    /// <summary>Where dracut's initrds have their hooks: they never look into scripts/, where our segment has its own.</summary>
    private static ReadOnlySpan<byte> DracutHooks => "usr/lib/dracut/hooks"u8;

    /// <summary>What is wrong with our segment behind an initrd; null where it is looked into.</summary>
    internal static string? Fault(List<ScannedSegment> segments, string subject) => segments.Exists(segment => segment.IsOfDracut)
        ? $"{subject}: dracut made it, which reads nothing of a segment that is appended; run `hacktree initrd install` and make it again with dracut"
        : null;

    /// <summary>Told of each entry, before its content was read.</summary>
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
                throw new InitrdException($"{subject}: {BootSegment.VersionPath} in segment {segment.Number} does not say how many zeros stand before it; make the initrd again with update-initramfs or dracut");
            }

            segments.Add(new ScannedSegment(segment, reader.End, version != null, padding.Value, isOfDracut));
        }

        return segments;
    }

    /// <summary>Reads a segment's entries; answers the content of hacktree/version where the segment begins as ours does.</summary>
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
