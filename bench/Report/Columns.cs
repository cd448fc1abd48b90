namespace HackTree.Bench.Report;

/// <summary>The columns of a work's table, which are the same on the terminal and in Markdown.</summary>
internal static class Columns
{
    // A work on the tree with extended attributes is compared with the same work without them, in the place of the floor.
    internal static IReadOnlyList<string> Headings(Work work) => work.IsRemote
        ? ["", "synced", "range", "requests", "fetched", "x hacktree", "CPU", "memory"]
        : work.Writes
        ? ["", "synced", "range", "unsynced", "x hacktree", work.Without is null ? "x floor" : "x without", "CPU", "memory"]
        : ["", "time", "range", "x hacktree", "x floor", "CPU", "memory"];

    internal static IReadOnlyList<string> Cells(Work work, Row row)
    {
        if (work.IsRemote)
        {
            return
            [
                row.Label, Figures.Seconds(row.Counted), Spread(row), Figures.Count((long)row.Requests), Figures.Bytes((long)row.FetchedBytes),
                Figures.Ratio(row.ToHackTree), Figures.Seconds(row.CpuSeconds), Figures.Bytes(row.PeakBytes),
            ];
        }

        bool isFloor = row.Contestant == Summary.Floor;
        string label = isFloor ? $"floor: {row.Label}" : row.Label;
        string[] parts = work.Writes ? [Figures.Seconds(row.Seconds)] : [];

        // For the floor these columns would include its preparation.
        string[] costs = isFloor ? ["", ""] : [Figures.Seconds(row.CpuSeconds), Figures.Bytes(row.PeakBytes)];
        string ratio = Figures.Ratio(work.Without is null ? row.ToFloor : row.ToWithout);
        return [label, Figures.Seconds(row.Counted), Spread(row), .. parts, Figures.Ratio(row.ToHackTree), ratio, .. costs];
    }

    private static string Spread(Row row) => $"{Figures.Seconds(row.Lowest)} - {Figures.Seconds(row.Highest)}";
}
