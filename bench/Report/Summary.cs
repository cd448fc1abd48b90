namespace HackTree.Bench.Report;

/// <summary>The results of one way to do a work, over all rounds. Times are medians.</summary>
/// <param name="Work">The work's id.</param>
/// <param name="Contestant">The program.</param>
/// <param name="Label">The way it did the work.</param>
/// <param name="Rounds">The number of samples.</param>
/// <param name="Seconds">The time of the command alone.</param>
/// <param name="SyncSeconds">The time of the syncfs after it.</param>
/// <param name="Counted">The time to compare: with the sync if the work writes, without it if the work only reads.</param>
/// <param name="Lowest">The time to compare of the fastest round.</param>
/// <param name="Highest">The time to compare of the slowest round.</param>
/// <param name="CpuSeconds">User and system time.</param>
/// <param name="PeakBytes">The largest peak of any round.</param>
/// <param name="ToHackTree">The time divided by hacktree's; above 1 is slower than hacktree. Null if hacktree has none.</param>
/// <param name="ToFloor">The time divided by the floor's. Null if there is no floor.</param>
internal sealed record Row(
    string Work, string Contestant, string Label, int Rounds, double Seconds, double SyncSeconds, double Counted, double Lowest, double Highest,
    double CpuSeconds, long PeakBytes, double? ToHackTree, double? ToFloor)
{
    /// <summary>The time divided by the contestant's own for the same work without extended attributes. Null for other works.</summary>
    public double? ToWithout { get; init; }

    /// <summary>The requests over the network; the median.</summary>
    public double Requests { get; init; }

    /// <summary>The bytes of their answers; the median.</summary>
    public double FetchedBytes { get; init; }
}

/// <summary>Makes medians and ratios from samples.</summary>
internal static class Summary
{
    internal const string HackTree = "hacktree";
    internal const string Floor = "floor";

    /// <summary>The middle value, or the mean of the two in the middle.</summary>
    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0)
        {
            throw new ArgumentException("no values have no median", nameof(values));
        }

        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>The rows of a work, fastest first.</summary>
    internal static IReadOnlyList<Row> Rows(Results results, Work work) => Rows(results.Samples, work);

    /// <inheritdoc cref="Rows(Results, Work)"/>
    internal static IReadOnlyList<Row> Rows(IReadOnlyList<Sample> samples, Work work)
    {
        IEnumerable<IGrouping<(string, string), Sample>> ways = samples
            .Where(sample => sample.Work == work.Id)
            .GroupBy(sample => (sample.Contestant, sample.Label));
        Row[] rows = [.. ways.Select(way => Gather(work, [.. way]))];
        double? ours = rows.FirstOrDefault(row => row.Contestant == HackTree)?.Counted;
        double? floor = rows.FirstOrDefault(row => row.Contestant == Floor)?.Counted;
        IReadOnlyList<Row> without = work.Without is { } id ? Rows(samples, Work.Find(id)) : [];
        IEnumerable<Row> compared = rows.Select(row => row with
        {
            ToHackTree = Ratio(row.Counted, ours),
            ToFloor = Ratio(row.Counted, floor),
            ToWithout = Ratio(row.Counted, without.FirstOrDefault(plain => (plain.Contestant, plain.Label) == (row.Contestant, row.Label))?.Counted),
        });
        return [.. compared.OrderBy(row => row.Counted)];
    }

    private static Row Gather(Work work, Sample[] samples)
    {
        double[] counted = [.. samples.Select(sample => sample.Seconds + (work.Writes ? sample.SyncSeconds : 0))];
        return new Row(
            work.Id,
            samples[0].Contestant,
            samples[0].Label,
            samples.Length,
            Median(samples.Select(sample => sample.Seconds)),
            Median(samples.Select(sample => sample.SyncSeconds)),
            Median(counted),
            counted.Min(),
            counted.Max(),
            Median(samples.Select(sample => sample.CpuSeconds)),
            samples.Max(sample => sample.PeakBytes),
            null,
            null)
        {
            Requests = Median(samples.Select(sample => (double)sample.Requests)),
            FetchedBytes = Median(samples.Select(sample => (double)sample.FetchedBytes)),
        };
    }

    private static double? Ratio(double value, double? unit) => unit > 0 ? value / unit : null;
}
