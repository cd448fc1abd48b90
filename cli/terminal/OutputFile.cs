using System.CommandLine;
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
    /// <summary>The path that means standard output.</summary>
    internal const string Standard = "-";

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

    /// <summary>Starts the output as <see cref="Create"/> does, or on standard output if the path is -.</summary>
    /// <param name="path">The path.</param>
    /// <param name="what">What is written, for a sentence: "an archive".</param>
    /// <param name="option">How to name a file: "--tar FILE".</param>
    internal static OutputFile CreateOrStandard(string path, string what, string option)
    {
        if (path != Standard)
        {
            return Create(path);
        }

        return StandardOutput.IsTerminal
            ? throw new UsageException($"{what} is not readable on a terminal; send standard output to a file or a program, or give {option}")
            : new OutputFile(null, StandardOutput.Instance);
    }

    /// <summary>Refuses standard output as an option's value: some outputs, such as disk images, are not written from front to back.</summary>
    internal static void RefuseStandard(Option option) => option.Validators.Add(result =>
    {
        if (result.Tokens is [{ Value: Standard }])
        {
            result.AddError($"{option.Name} takes a file, because what it gets is not written from front to back");
        }
    });

    /// <summary>Writes the rest of the output, and gives a file its name, durably.</summary>
    internal void Complete()
    {
        Stream.Flush();
        file?.Complete();
    }

    public void Dispose()
    {
        // Each handle has one owner, and standard output stays open.
        if (file is not null)
        {
            file.Dispose();
        }
        else if (Stream != StandardOutput.Instance)
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
