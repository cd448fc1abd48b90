using System.Text.Json;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The raw bytes of a disk image: the image itself, or a copy of it, from which <see cref="Complete"/> makes an image. (A FUSE
/// export by qemu-storage-daemon would save the copy, but with the daemon killed under a mounted filesystem the kernel can hang.)
/// </summary>
/// <remarks>A copy has no name, and then the owner and mode of the image it was made from: in a disk are passwords and keys.</remarks>
internal sealed class DiskExport : IDisposable
{
    private readonly string image;
    private readonly DurableFile? copy;
    private readonly string target;
    private readonly DiskFormat format;
    private readonly CancellationToken stop;

    private DiskExport(string image, DurableFile? copy, string target, DiskFormat format, CancellationToken stop)
    {
        (this.image, this.copy, this.target, this.format, this.stop) = (image, copy, target, format, stop);
        Path = copy?.Path ?? System.IO.Path.GetFullPath(image);
    }

    /// <summary>The file of raw bytes.</summary>
    internal string Path { get; }

    /// <summary>Whether it is a copy, so that the image stays as it is without <see cref="Complete"/>.</summary>
    internal bool IsCopy => copy is not null;

    /// <summary>Opens an image to be changed. The caller holds its lock.</summary>
    internal static DiskExport Open(string image)
    {
        DiskFormat format = DiskFormats.OfContent(image);
        if (format == DiskFormat.Raw)
        {
            return new DiskExport(image, null, image, format, CancellationToken.None);
        }

        RequirePlain(image);
        return Copy(image, format, image, format, CancellationToken.None);
    }

    /// <summary>Opens a copy of an image, which will be another image. The caller holds the lock.</summary>
    internal static DiskExport OpenCopy(string image, string output, DiskFormat format, CancellationToken stop) =>
        Copy(image, DiskFormats.OfContent(image), output, format, stop);

    /// <summary>Makes the image of what was written. Unmount before.</summary>
    internal void Complete()
    {
        if (copy is null)
        {
            // The loop device wrote to the file's cached pages.
            using SafeFileHandle file = OpenPath.File(image);
            Sys.Sync(file).ThrowIfFailed("fsync", image);
            return;
        }

        if (format == DiskFormat.Raw)
        {
            GiveName(copy);
            return;
        }

        using DurableFile result = OpenPath.ToReplace(target, FileModes.PrivateFile);
        DiskFormats.Convert(copy.Path, DiskFormat.Raw, result.Path, format, target, stop);
        GiveName(result);
    }

    /// <summary>Removes the copy.</summary>
    public void Dispose() => copy?.Dispose();

    private static DiskExport Copy(string image, DiskFormat from, string target, DiskFormat format, CancellationToken stop)
    {
        DurableFile copy = OpenPath.ToReplace(target, FileModes.PrivateFile);
        try
        {
            DiskFormats.Convert(System.IO.Path.GetFullPath(image), from, copy.Path, DiskFormat.Raw, image, stop);
            return new DiskExport(image, copy, target, format, stop);
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    /// <summary>Puts a whole image in its place, with the owner and mode of the one it was made from.</summary>
    private void GiveName(DurableFile result)
    {
        using (SafeFileHandle original = OpenPath.File(image, OpenFlags.Path))
        {
            Sys.Stat(original, out FileStatus status).ThrowIfFailed("statx", image);
            result.CopyOwnership(status);
        }

        result.Complete(target == image ? ExistingFile.Replaced : ExistingFile.Kept);
    }

    /// <summary>Snapshots and a backing file would be lost on the way, and an encrypted image needs a key.</summary>
    private static void RequirePlain(string image)
    {
        string path = System.IO.Path.GetFullPath(image);
        ProgramRun run = Tool.DiskImage.TryRun(["info", "--output=json", "-f", "qcow2", path]);
        if (!run.Succeeded)
        {
            throw new StoreException($"{image}: {Tool.DiskImage.Name} cannot read it: {run.LastWords.Replace(path, image, StringComparison.Ordinal)}");
        }

        using JsonDocument facts = JsonDocument.Parse(run.Output);
        if (facts.RootElement.TryGetProperty("encrypted", out JsonElement encrypted) && encrypted.ValueKind == JsonValueKind.True)
        {
            throw new StoreException($"{image}: it is encrypted; make a plain one with `qemu-img convert --image-opts` and its key");
        }

        if (facts.RootElement.TryGetProperty("backing-filename", out _) || facts.RootElement.TryGetProperty("snapshots", out _))
        {
            throw new StoreException(
                $"{image}: it has snapshots or a backing file, which this program would lose; make a plain one with `qemu-img convert -O qcow2`");
        }
    }
}
