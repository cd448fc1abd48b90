using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>A program that this one needs, and the Debian package that has it. What it says in failing becomes a sentence.</summary>
internal sealed record Tool(string Name, string Package)
{
    internal static readonly Tool MakeExt4 = new("mkfs.ext4", "e2fsprogs");
    internal static readonly Tool DebugExt4 = new("debugfs", "e2fsprogs");
    internal static readonly Tool MakeFat = new("mkfs.vfat", "dosfstools");
    internal static readonly Tool CopyToFat = new("mcopy", "mtools");
    internal static readonly Tool GrubImage = new("grub-mkimage", "grub-common");
    internal static readonly Tool DiskImage = new("qemu-img", "qemu-utils");
    internal static readonly Tool Mount = new("mount", "mount");
    internal static readonly Tool Unmount = new("umount", "mount");
    internal static readonly Tool ChangeRoot = new("chroot", "coreutils");

    // What Process adds to the number of the signal that ended a program.
    private const int BySignal = 128;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(200);

    // mkfs.* and debugfs live where an ordinary user's path may not lead.
    private static readonly string[] MoreFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    /// <summary>Where the program is. Throws <see cref="StoreException"/>, with the package to install, where it is not.</summary>
    internal string Path => Find(Name) ?? throw new StoreException($"{Name} is not installed; install the package {Package} (apt install {Package})");

    /// <summary>Runs it to its end, in the C locale; answers what it printed. Throws <see cref="StoreException"/> where it fails.</summary>
    internal string Run(params IReadOnlyList<string> arguments) =>
        Run(CancellationToken.None, arguments);

    /// <summary>The same for what takes long: a request to stop ends the program.</summary>
    internal string Run(CancellationToken stop, params IReadOnlyList<string> arguments) =>
        TryRun(arguments, out string output, out string error, stop: stop) ? output : throw new StoreException($"{Name} failed: {LastWords(error)}");

    /// <summary>Runs it to its end; answers whether it succeeded.</summary>
    internal bool TryRun(IReadOnlyList<string> arguments, out string output, out string error, string input = "", CancellationToken stop = default)
    {
        var start = new ProcessStartInfo(Path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.Environment["LC_ALL"] = "C";
        using Process process = Start(start);
        using CancellationTokenRegistration killing = stop.Register(process.Kill);
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already: its exit code says enough.
        }

        output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        error = errors.GetAwaiter().GetResult();
        if (process.ExitCode > BySignal && stop.CanBeCanceled)
        {
            // Ctrl-C reaches the program too, perhaps before this one hears of it.
            _ = stop.WaitHandle.WaitOne(Moment);
        }

        stop.ThrowIfCancellationRequested();
        return process.ExitCode == 0;
    }

    /// <summary>Starts a program. Throws <see cref="StoreException"/> where that cannot be.</summary>
    internal static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new StoreException($"{start.FileName}: it cannot be run ({e.Message})");
        }
    }

    /// <summary>Where a program is; null where it is not.</summary>
    internal static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(MoreFolders)
            .Select(folder => System.IO.Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>The last line a program wrote, which is where most say what was wrong.</summary>
    internal static string LastWords(string error) =>
        error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault("it does not say why");
}
