using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>Which files may be remembered.</summary>
public sealed class StatCacheRuleTests
{
    private static readonly FileTime Taken = new(1_000_000, 500);

    [Theory]
    [InlineData(-2, 0, true)]
    [InlineData(-2, 1, false)]
    [InlineData(-3, 999_999_000, true)]
    [InlineData(-1, 0, false)]
    [InlineData(0, 0, false)]
    [InlineData(0, 1, false)]
    [InlineData(3600, 0, false)]
    [InlineData(-1_000_000_000, 0, true)]
    public void A_file_must_have_been_left_alone_for_two_seconds(long seconds, int nanoseconds, bool isSettled)
    {
        var time = new FileTime(Taken.Seconds + seconds, (uint)(Taken.Nanoseconds + nanoseconds));
        var old = new FileTime(1, 0);
        Assert.Equal(isSettled, StatCacheRule.IsSettled(time, old, Taken));
        Assert.Equal(isSettled, StatCacheRule.IsSettled(old, time, Taken));
        Assert.Equal(isSettled, StatCacheRule.IsSettled(time, time, Taken));
    }

    [Fact]
    public void The_end_of_time_is_no_excuse() =>
        Assert.False(StatCacheRule.IsSettled(new FileTime(long.MaxValue, 0), new FileTime(0, 0), new FileTime(long.MinValue + 1, 0)));
}
