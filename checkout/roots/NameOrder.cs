using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Tells whether a filesystem keeps names in order: a name that survives a power cut then means that all names made before it survive too. ext4
/// and XFS write names to one journal, in order. btrfs does not keep them in order: it keeps what was synced and forgets the rest. No journal
/// has content.
/// </summary>
internal static class NameOrder
{
    /// <summary>
    /// Whether the filesystem of an open directory keeps names in order. False if that is not known: then names are synced.
    /// </summary>
    internal static bool IsKept(SafeFileHandle directory) =>
        Sys.FilesystemOf(directory, out FilesystemType type) == Errno.None
        && type switch
        {
            FilesystemType.Xfs or FilesystemType.Tmpfs => true,
            FilesystemType.Ext4 => HasJournal(directory),
            _ => false,
        };

    /// <summary>
    /// Whether an ext4 filesystem has a journal; on some virtual machines it has none. /sys/fs/ext4/DISK/journal_task
    /// (ABI/testing/sysfs-fs-ext4) has the process that writes the journal, or "&lt;none&gt;".
    /// </summary>
    private static bool HasJournal(SafeFileHandle directory)
    {
        if (Sys.Stat(directory, out FileStatus status) != Errno.None || DiskName.Of(status) is not { } disk)
        {
            return false;
        }

        Span<byte> task = stackalloc byte[32];
        Errno errno = Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes($"/sys/fs/ext4/{disk}/journal_task"), OpenFlags.ReadOnly, out SafeFileHandle file);
        using (file)
        {
            return errno == Errno.None && Sys.ReadAt(file, task, 0, out int count) == Errno.None
                && count > 0 && !task[..count].StartsWith("<none>"u8);
        }
    }
}
