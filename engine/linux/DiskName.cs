using System.Text;

namespace HackTree.Linux;

/// <summary>The kernel's names of block devices, such as "vda1", as they stand in /sys.</summary>
public static class DiskName
{
    /// <summary>The name of the block device that a file's filesystem is on; null if it is on none or /sys does not tell.</summary>
    public static string? Of(in FileStatus status)
    {
        Span<byte> link = stackalloc byte[4096];
        byte[] device = Encoding.ASCII.GetBytes($"/sys/dev/block/{status.Device >> 32}:{status.Device & uint.MaxValue}");
        return Sys.ReadLink(Sys.WorkingDirectory, device, link, out int length) == Errno.None
            ? Encoding.UTF8.GetString(link[(link[..length].LastIndexOf((byte)'/') + 1)..length])
            : null;
    }
}
