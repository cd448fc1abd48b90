using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Writes a command's output to a path. A file appears only when it is whole. A pipe or device is written directly.
/// </summary>
internal sealed class OutputFile : IDisposable
{
    private readonly DurableFile? file;

    private OutputFile(DurableFile? file, OutputStream stream) => (this.file, Stream) = (file, stream);

    internal Stream Stream { get; }

    /// <summary>Starts the output. A file will replace an existing file. A pipe or device is opened.</summary>
    internal static OutputFile Create(string path)
    {
        if (IsPipeOrDevice(path))
        {
            return new OutputFile(null, new OutputStream(OpenPath.File(path, OpenFlags.WriteOnly), path));
        }

        DurableFile file = OpenPath.ToReplace(path, FileModes.NewFile);
        return new OutputFile(file, new OutputStream(file.Handle, path));
    }

    /// <summary>Writes the rest of the output, and gives a file its name, durably.</summary>
    internal void Complete()
    {
        Stream.Flush();
        file?.Complete();
    }

    public void Dispose()
    {
        // Each handle has one owner.
        if (file is not null)
        {
            file.Dispose();
        }
        else
        {
            Stream.Dispose();
        }
    }

    private static bool IsPipeOrDevice(string path)
    {
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Path, out SafeFileHandle place);
        using (place)
        {
            return errno == Errno.None && Sys.Stat(place, out FileStatus status) == Errno.None && status.Type is not (FileType.Regular or FileType.Directory);
        }
    }
}
