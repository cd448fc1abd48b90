using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>Paths as the kernel tells them, in mount tables and of loop devices: no link in any part of them.</summary>
internal static class RealPath
{
    /// <summary>The one of a file or directory that is there.</summary>
    internal static string Of(string path)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Path, out SafeFileHandle handle).ThrowIfFailed("openat", path);
        using (handle)
        {
            return new FileInfo($"/proc/self/fd/{handle.DangerousGetHandle()}").LinkTarget ?? path;
        }
    }
}
