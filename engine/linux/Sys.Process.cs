using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>How to hold a lock file (flock(2)).</summary>
public enum LockKind
{
    /// <summary>Together with other shared holders.</summary>
    Shared = 1,
    /// <summary>Alone.</summary>
    Exclusive = 2,
}

/// <summary>The system calls about this process: who it is, its limits, its locks.</summary>
public static unsafe partial class Sys
{
    private const int LockNonBlocking = 4;
    private const int LimitOpenFiles = 7;

    /// <summary>geteuid(2).</summary>
    public static uint EffectiveUid => Native.GetEUid();

    /// <summary>getegid(2).</summary>
    public static uint EffectiveGid => Native.GetEGid();

    /// <summary>Whether the process runs with the superuser's uid.</summary>
    public static bool IsRoot => EffectiveUid == 0;

    /// <summary>isatty(3) of a descriptor number, such as 2 for standard error.</summary>
    public static bool IsTerminal(int descriptor) => Native.IsATty(descriptor) == 1;

    /// <summary>umask(2) for the whole process; answers the mask that was in force.</summary>
    public static uint SetUmask(uint mask) => Native.UMask(mask);

    /// <summary>
    /// flock(2). Without <paramref name="wait"/>, EAGAIN where somebody else holds it. The lock ends when the descriptor
    /// is closed, so a killed process leaves none behind.
    /// </summary>
    public static Errno Lock(SafeFileHandle file, LockKind kind, bool wait)
    {
        int operation = (int)kind | (wait ? 0 : LockNonBlocking);
        Errno errno;
        do
        {
            errno = Result(Native.FLock(file, operation));
        }
        while (errno == Errno.EINTR);

        return errno;
    }

    /// <summary>Raises the soft limit of open files to the hard one: a walk holds one directory open per level.</summary>
    public static void RaiseOpenFileLimit()
    {
        RLimit limit;
        if (Native.GetRLimit(LimitOpenFiles, &limit) == 0 && limit.Soft < limit.Hard)
        {
            limit.Soft = limit.Hard;
            _ = Native.SetRLimit(LimitOpenFiles, &limit);
        }
    }
}
