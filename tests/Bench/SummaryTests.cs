using HackTree.Bench.Report;

namespace HackTree.Tests.Bench;

/// <summary>Medians and ratios of samples.</summary>
public sealed class SummaryTests
{
    [Theory]
    [InlineData(new double[] { 5 }, 5)]
    [InlineData(new double[] { 9, 1, 2 }, 2)]
    [InlineData(new double[] { 4, 1, 3, 100 }, 3.5)]
    public void The_median_is_in_the_middle(double[] values, double median) => Assert.Equal(median, Summary.Median(values));

    [Fact]
    public void There_is_no_median_of_nothing() => Assert.Throws<ArgumentException>(() => Summary.Median([]));

    [Fact]
    public void Writing_counts_until_it_is_synced_and_reading_does_not()
    {
        Sample[] samples = [Sample(Work.Checkout, "ostree", 1, seconds: 2, sync: 1), Sample(Work.Gc, "ostree", 1, seconds: 2, sync: 1)];
        Assert.Equal(3, Assert.Single(Summary.Rows(samples, Work.Find(Work.Checkout))).Counted);
        Assert.Equal(2, Assert.Single(Summary.Rows(samples, Work.Find(Work.Gc))).Counted);
    }

    [Fact]
    public void The_median_of_sums_is_not_the_sum_of_medians()
    {
        Sample[] samples =
        [
            Sample(Work.First, "tar", 1, seconds: 1, sync: 9),
            Sample(Work.First, "tar", 2, seconds: 5, sync: 1),
            Sample(Work.First, "tar", 3, seconds: 6, sync: 2),
        ];
        Row row = Assert.Single(Summary.Rows(samples, Work.Find(Work.First)));
        Assert.Equal((5, 2, 8, 6, 10, 3), (row.Seconds, row.SyncSeconds, row.Counted, row.Lowest, row.Highest, row.Rounds));
    }

    [Fact]
    public void Ratios_are_to_hacktree_and_to_the_floor_and_the_fastest_comes_first()
    {
        Sample[] samples =
        [
            Sample(Work.Gc, "ostree", 1, seconds: 8),
            Sample(Work.Gc, "hacktree", 1, seconds: 4),
            Sample(Work.Gc, "floor", 1, seconds: 2),
            Sample(Work.Fsck, "floor", 1, seconds: 1),
        ];
        IReadOnlyList<Row> rows = Summary.Rows(samples, Work.Find(Work.Gc));
        Assert.Equal([("floor", 0.5, 1d), ("hacktree", 1d, 2d), ("ostree", 2d, 4d)], rows.Select(row => (row.Contestant, row.ToHackTree!.Value, row.ToFloor!.Value)));
    }

    [Fact]
    public void Without_hacktree_or_floor_there_is_no_ratio()
    {
        Row row = Assert.Single(Summary.Rows([Sample(Work.Du, "borg", 1, seconds: 1)], Work.Find(Work.Du)));
        Assert.Equal((null, null), (row.ToHackTree, row.ToFloor));
    }

    [Fact]
    public void Two_ways_of_one_program_are_two_rows()
    {
        Sample[] samples = [Sample(Work.Checkout, "rsync", 1, seconds: 1), Sample(Work.Checkout, "rsync", 1, seconds: 2) with { Label = "rsync --link-dest" }];
        Assert.Equal(["rsync", "rsync --link-dest"], Summary.Rows(samples, Work.Find(Work.Checkout)).Select(row => row.Label));
    }

    [Fact]
    public void A_work_with_attributes_is_compared_with_the_same_work_without_by_the_same_program_in_the_same_way()
    {
        Work work = Work.WithXattrs.Single(work => work.Without == Work.RecommitRoot);
        Sample[] samples =
        [
            Sample(Work.RecommitRoot, "ostree", 1, seconds: 2), Sample(Work.RecommitRoot, "ostree", 1, seconds: 5) with { Label = "slow" },
            Sample(work.Id, "ostree", 1, seconds: 3), Sample(work.Id, "ostree", 1, seconds: 4) with { Label = "slow" },
            Sample(work.Id, "hacktree", 1, seconds: 1),
        ];
        Assert.Equal([null, 1.5, 0.8], Summary.Rows(samples, work).Select(row => row.ToWithout));
        Assert.All(Summary.Rows(samples, Work.Find(Work.RecommitRoot)), row => Assert.Null(row.ToWithout));
        Assert.Equal(Columns.Headings(work).Count, Columns.Cells(work, Summary.Rows(samples, work)[0]).Count);
    }

    internal static Sample Sample(string work, string contestant, int round, double seconds, double sync = 0) => new()
    {
        Work = work,
        Contestant = contestant,
        Label = contestant,
        Round = round,
        Seconds = seconds,
        SyncSeconds = sync,
        CpuSeconds = seconds / 2,
        PeakBytes = 1_000_000,
    };
}
