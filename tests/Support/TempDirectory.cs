using System.Text;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Support;

/// <summary>A new directory under a given one, or $HACKTREE_TEST_DIR, /tmp or /var/tmp. It is removed with everything in it.</summary>
internal sealed class TempDirectory : IDisposable
{
    public TempDirectory(string? parent = null)
    {
        Path = System.IO.Path.Combine(parent ?? FindParent(), $"hacktree-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(Path), OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle handle)
            .ThrowIfFailed("openat", Path);
        Handle = handle;
    }

    public string Path { get; }

    /// <summary>The directory, opened for reading.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>The path of a name in the directory.</summary>
    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Makes a file in the directory and returns its path.</summary>
    public string Write(string name, ReadOnlySpan<byte> content)
    {
        File.WriteAllBytes(At(name), content);
        return At(name);
    }

    public void Dispose()
    {
        Handle.Dispose();
        TreeRemoval.Remove(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(Path), Path);
    }

    private static string FindParent()
    {
        string? given = Environment.GetEnvironmentVariable("HACKTREE_TEST_DIR");
        return string.IsNullOrEmpty(given) ? Directory.Exists("/tmp") ? "/tmp" : "/var/tmp" : given;
    }
}
