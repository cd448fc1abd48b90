using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Files without a name, which are gone when they are closed. They are in the store's tmp/, or in the directory for temporary files if this user may not
/// write to the store.
/// </summary>
public static class ScratchFile
{
    /// <summary>Opens a new, empty file for reading and writing.</summary>
    public static FileStream Open(ObjectStore store)
    {
        Errno errno = OpenIn(store.Temporary, out SafeFileHandle file);
        if (errno is Errno.EACCES or Errno.EROFS)
        {
            file.Dispose();
            return OpenOutside();
        }

        errno.ThrowIfFailed("openat", $"{store.Path}/tmp");
        return new FileStream(file, FileAccess.ReadWrite, bufferSize: 0);
    }

    /// <summary>Opens one in the directory for temporary files.</summary>
    public static FileStream OpenOutside()
    {
        using SafeFileHandle place = OpenElsewhere(out string elsewhere);
        OpenIn(place, out SafeFileHandle file).ThrowIfFailed("openat", elsewhere);
        return new FileStream(file, FileAccess.ReadWrite, bufferSize: 0);
    }

    /// <summary>Opens the directory for temporary files.</summary>
    internal static SafeFileHandle OpenElsewhere(out string path)
    {
        path = Path.GetTempPath();
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle place)
            .ThrowIfFailed("openat", path);
        return place;
    }

    private static Errno OpenIn(SafeFileHandle directory, out SafeFileHandle file) =>
        Sys.Open(directory, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out file, FileModes.PrivateFile);
}
