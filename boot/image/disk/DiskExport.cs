using System.Text.Json;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// A disk image as a file of raw bytes: the image itself, or for qcow2 a copy that takes the image's place when the work is done. (A FUSE
/// export by qemu-storage-daemon would save the copy, but with the daemon killed under a mounted filesystem the kernel can hang.)
/// </summary>
internal sealed class DiskExport : IDisposable
{
    private readonly string image;

    private DiskExport(string image, string path) => (this.image, Path) = (image, path);

    /// <summary>The file of raw bytes.</summary>
    internal string Path { get; }

    /// <summary>Whether it is a copy, of an image that is not raw.</summary>
    internal bool IsCopy => Path != image;

    /// <summary>Opens an image whose lock the caller holds.</summary>
    internal static DiskExport Open(string image)
    {
        if (DiskFormats.OfContent(image) == DiskFormat.Raw)
        {
            return new DiskExport(image, image);
        }

        RequirePlain(image);
        var export = new DiskExport(image, $"{image}.{Environment.ProcessId}.raw.partial");
        try
        {
            MakePrivate(export.Path);
            Tool.DiskImage.Run("convert", "-f", "qcow2", "-O", "raw", image, export.Path);
            return export;
        }
        catch
        {
            export.Dispose();
            throw;
        }
    }

    /// <summary>Puts what was written into the image. Unmount before; without this, an image that is not raw stays as it was.</summary>
    internal void Complete()
    {
        if (!IsCopy)
        {
            return;
        }

        string changed = $"{image}.{Environment.ProcessId}.qcow2.partial";
        try
        {
            MakePrivate(changed);
            Tool.DiskImage.Run("convert", "-f", "raw", "-O", "qcow2", Path, changed);
            using (FileStream file = File.Open(changed, FileMode.Open, FileAccess.ReadWrite))
            {
                GiveOwnership(file.SafeFileHandle, changed, image);
                file.Flush(flushToDisk: true);
            }

            File.Move(changed, image, overwrite: true);
        }
        finally
        {
            File.Delete(changed);
        }
    }

    /// <summary>Makes a file that only its owner can read, for qemu-img to write: in a disk are passwords and keys.</summary>
    internal static void MakePrivate(string path)
    {
        using FileStream file = File.Create(path);
        Sys.SetMode(file.SafeFileHandle, FileModes.PrivateFile).ThrowIfFailed("fchmod", path);
    }

    /// <summary>Gives a file the owner and mode of the image it was made from.</summary>
    internal static void GiveOwnership(SafeFileHandle file, string path, string image)
    {
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(RealPath.Of(image)), out FileStatus status).ThrowIfFailed("statx", image);
        Sys.SetOwner(file, status.Uid, status.Gid).ThrowIfFailed("fchown", path);
        Sys.SetMode(file, status.Mode & 0xFFFu).ThrowIfFailed("fchmod", path);
    }

    /// <summary>Removes the copy.</summary>
    public void Dispose()
    {
        if (IsCopy)
        {
            File.Delete(Path);
        }
    }

    /// <summary>Snapshots and a backing file would be lost on the way.</summary>
    private static void RequirePlain(string image)
    {
        using JsonDocument facts = JsonDocument.Parse(Tool.DiskImage.Run("info", "--output=json", "-f", "qcow2", image));
        if (facts.RootElement.TryGetProperty("backing-filename", out _) || facts.RootElement.TryGetProperty("snapshots", out _))
        {
            throw new StoreException($"{image}: it has snapshots or a backing file, which this program would lose; make a plain one with `qemu-img convert -O qcow2`");
        }
    }
}
