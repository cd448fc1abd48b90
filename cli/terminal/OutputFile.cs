using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>A file that is whole or not there: written under another name, which it loses when complete.</summary>
internal sealed class OutputFile : IDisposable
{
    private readonly byte[] finalName;
    private readonly byte[]? temporaryName;
    private readonly string path;
    private bool isComplete;

    private OutputFile(string path, byte[]? temporaryName, Stream stream)
    {
        this.path = path;
        this.temporaryName = temporaryName;
        finalName = ByteText.FromArgument(path);
        Stream = stream;
    }

    internal Stream Stream { get; }

    /// <summary>Starts a file that will replace what is there. A pipe or device is written to as it is.</summary>
    internal static OutputFile Create(string path)
    {
        byte[] name = ByteText.FromArgument(path);
        Errno errno = Sys.Open(Sys.WorkingDirectory, name, OpenFlags.Path, out SafeFileHandle place);
        using (place)
        {
            if (errno == Errno.None && Sys.Stat(place, out FileStatus status) == Errno.None && status.Type != FileType.Regular)
            {
                Sys.Open(Sys.WorkingDirectory, name, OpenFlags.WriteOnly, out SafeFileHandle device).ThrowIfFailed("openat", path);
                return new OutputFile(path, null, new OutputStream(device, path));
            }
        }

        byte[] temporary = [.. name, .. ByteText.FromArgument($".{Environment.ProcessId}.partial")];
        Sys.Open(Sys.WorkingDirectory, temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle file, FileModes.NewFile).ThrowIfFailed("openat", path);
        return new OutputFile(path, temporary, new OutputStream(file, path));
    }

    /// <summary>Gives the file its name.</summary>
    internal void Complete()
    {
        Stream.Flush();
        Stream.Dispose();
        if (temporaryName is not null)
        {
            Sys.Rename(Sys.WorkingDirectory, temporaryName, Sys.WorkingDirectory, finalName).ThrowIfFailed("renameat2", path);
        }

        isComplete = true;
    }

    public void Dispose()
    {
        if (!isComplete)
        {
            if (temporaryName is not null)
            {
                _ = Sys.Unlink(Sys.WorkingDirectory, temporaryName);
            }

            Stream.Dispose();
        }
    }
}
