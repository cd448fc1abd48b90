using System.Globalization;
using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Small files that are replaced whole and durably: write, fsync, rename, fsync of the directory.</summary>
internal static class AtomicFile
{
    private const int MaxLength = 1024 * 1024;

    private static int counter;

    /// <summary>Replaces <paramref name="name"/> in <paramref name="directory"/>. <paramref name="temporary"/> is on the same filesystem.</summary>
    internal static void Write(SafeFileHandle temporary, SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> bytes, string subject)
    {
        Replace(temporary, directory, name, bytes, subject);
        Sys.Sync(directory).ThrowIfFailed("fsync", subject);
    }

    /// <summary>The same without the last step: the content is durable, the name will be with the next fsync of the directory.</summary>
    internal static void Replace(SafeFileHandle temporary, SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> bytes, string subject)
    {
        byte[] temporaryName = TemporaryName();
        Sys.Open(temporary, temporaryName, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle file, FileModes.PublicFile)
            .ThrowIfFailed("openat", subject);
        try
        {
            using (file)
            {
                Sys.WriteAt(file, bytes, 0).ThrowIfFailed("pwrite", subject);
                Sys.Sync(file).ThrowIfFailed("fsync", subject);
            }

            Sys.Rename(temporary, temporaryName, directory, name).ThrowIfFailed("renameat2", subject);
        }
        catch
        {
            _ = Sys.Unlink(temporary, temporaryName);
            throw;
        }
    }

    /// <summary>Reads a small file whole; null where there is none. Follows no symbolic link.</summary>
    internal static byte[]? TryRead(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject, int maxLength = MaxLength)
    {
        Errno errno = Sys.OpenBeneath(directory, name, OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return null;
        }

        errno.ThrowIfFailed("openat2", subject);
        using (file)
        {
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            if (status.Type != FileType.Regular || status.Size > maxLength)
            {
                return status.Type == FileType.Directory ? null : throw new CorruptException(subject, "not a small file", new Remedy.CheckStore());
            }

            byte[] bytes = new byte[status.Size];
            Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", subject);
            return bytes[..count];
        }
    }

    /// <summary>A name in tmp/ that no other process has.</summary>
    internal static byte[] TemporaryName() =>
        Encoding.ASCII.GetBytes($"{Environment.ProcessId}-{Interlocked.Increment(ref counter)}-{RandomDigits()}");

    /// <summary>32 hexadecimal digits that nobody else has.</summary>
    internal static string RandomDigits()
    {
        Sys.Random(out UInt128 number).ThrowIfFailed("getrandom", "a random number");
        return number.ToString("x32", CultureInfo.InvariantCulture);
    }
}
