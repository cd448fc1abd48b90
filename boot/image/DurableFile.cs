using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>Replaces small files whole: write under another name, fsync, rename, fsync of the directory.</summary>
internal static class DurableFile
{
    internal static void Replace(SafeFileHandle directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> bytes, uint mode, string subject)
    {
        byte[] temporary = [.. name, .. ".hacktree-new"u8];
        _ = Sys.Unlink(directory, temporary);
        Sys.Open(directory, temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle file, mode).ThrowIfFailed("openat", subject);
        using (file)
        {
            Sys.SetMode(file, mode).ThrowIfFailed("fchmod", subject);
            Sys.WriteAt(file, bytes, 0).ThrowIfFailed("pwrite", subject);
            Sys.Sync(file).ThrowIfFailed("fsync", subject);
        }

        Sys.Rename(directory, temporary, directory, name).ThrowIfFailed("renameat2", subject);
        Sys.Sync(directory).ThrowIfFailed("fsync", subject);
    }
}
