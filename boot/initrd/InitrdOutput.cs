using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>Writes initrds, and the files beside them in /boot. Existing files are replaced.</summary>
internal static class InitrdOutput
{
    /// <summary>Writes a file with exactly that mode.</summary>
    internal static void Write(string path, uint mode, Action<DurableFile> content) => Place(path, mode, file =>
    {
        file.SetMode(mode);
        content(file);
    });

    /// <summary>Writes a file with the owner and mode of an open file.</summary>
    internal static void WriteLike(FileStream original, string originalPath, string path, Action<DurableFile> content)
    {
        Sys.Stat(original.SafeFileHandle, out FileStatus status).ThrowIfFailed("statx", originalPath);
        Place(path, status.Mode, file =>
        {
            file.CopyOwnership(status);
            content(file);
        });
    }

    private static void Place(string path, uint mode, Action<DurableFile> content)
    {
        try
        {
            using DurableFile file = OpenPath.ToReplace(path, mode);
            content(file);
            file.Complete();
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT && e.Subject == path)
        {
            throw new StoreException(
                $"{path}: {LinuxException.Describe(e.Errno)}; nothing was changed: make room, where it is /boot by removing an old kernel, and try again");
        }
    }
}
