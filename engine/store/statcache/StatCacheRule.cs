using HackTree.Linux;

namespace HackTree.Store;

/// <summary>Which files the stat cache may remember: those that have been left alone long enough for a later change to show in their times.</summary>
internal static class StatCacheRule
{
    /// <summary>
    /// How long before its status was taken a file must have been changed last. The kernel stamps a change with the time
    /// of its last timer tick, 1-10 ms ago; ext3 and some others keep whole seconds, FAT keeps two. Two changes within one
    /// such step leave the same times, so a file that was read between them would be taken for unchanged ever after (git
    /// calls this the "racy git" problem).
    /// </summary>
    internal const long MinimumAgeSeconds = 2;

    /// <summary>
    /// Whether a file whose status was taken at <paramref name="taken"/> (the clock's time just before the call) may be
    /// remembered. Both times count: the modification time can be set at will, the change time cannot; one that is in the
    /// future tells of a clock that was set back, under which a later change may get any time, this one too.
    /// </summary>
    /// <remarks>
    /// Two changes escape, as they escape git. A write through a shared mapping stamps the file when its page becomes
    /// dirty and not again until the page was written back. And a clock that is set back can give a later change the
    /// very nanosecond of the one before. A server that stamps files by a clock of its own (NFS) must not be 2 s ahead.
    /// </remarks>
    internal static bool IsSettled(FileTime modified, FileTime changed, FileTime taken)
    {
        FileTime newest = changed > modified ? changed : modified;
        return newest.Seconds <= long.MaxValue - MinimumAgeSeconds && newest with { Seconds = newest.Seconds + MinimumAgeSeconds } <= taken;
    }
}
