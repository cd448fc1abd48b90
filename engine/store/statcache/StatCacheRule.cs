using HackTree.Linux;

namespace HackTree.Store;

/// <summary>
/// Says which files the stat cache may remember: files that have been unchanged for so long that any later change will show in their times.
/// </summary>
internal static class StatCacheRule
{
    /// <summary>
    /// The time between a file's last change and the taking of its status, at the least. The kernel stamps a change with the time of its last
    /// timer tick, 1-10 ms ago. ext3 and some others keep whole seconds, and FAT keeps steps of two seconds. Two changes within one step leave
    /// the same times. If a file were read between them, it would count as unchanged ever after (git calls this the "racy git" problem).
    /// </summary>
    internal const long MinimumAgeSeconds = 2;

    /// <summary>
    /// Whether a file may be remembered. Its status was taken at <paramref name="taken"/>: the clock's time just before the call. Both times
    /// count, because programs can set the modification time but not the change time. A time in the future means that the clock was set back:
    /// a later change may then get any time, even the same one.
    /// </summary>
    /// <remarks>
    /// Two changes go unnoticed, as they do with git. A write through a shared mapping stamps the file when its page becomes dirty, and not
    /// again until the page was written back. And after a clock was set back, a later change can get exactly the same nanosecond. A server that
    /// stamps files by its own clock (NFS) must not be 2 s ahead.
    /// </remarks>
    internal static bool IsSettled(FileTime modified, FileTime changed, FileTime taken)
    {
        FileTime newest = changed > modified ? changed : modified;
        return newest.Seconds <= long.MaxValue - MinimumAgeSeconds && newest with { Seconds = newest.Seconds + MinimumAgeSeconds } <= taken;
    }
}
