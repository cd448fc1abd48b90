using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>What another program did, from its start to its end.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Error">What it wrote to standard error.</param>
/// <param name="Time">How long it took.</param>
public sealed record ProgramRun(int ExitCode, string Output, string Error, TimeSpan Time)
{
    // What Process adds to the number of the signal that ended a program.
    private const int BySignal = 128;

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(200);

    private static readonly Lock Starting = new();

    // mkfs.* and debugfs live where an ordinary user's path may not lead.
    private static readonly string[] MoreFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    /// <summary>Whether its exit code was 0.</summary>
    public bool Succeeded => ExitCode == 0;

    /// <summary>The last line on standard error, where most programs say what was wrong.</summary>
    public string LastWords => LastLine(Error);

    /// <summary>Runs a program to its end, in the C locale.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="input">What it gets on standard input.</param>
    /// <param name="stop">Kills it.</param>
    /// <exception cref="StoreException">It cannot be started.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static ProgramRun Of(IReadOnlyList<string> command, string input = "", CancellationToken stop = default)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1));
        start.Environment["LC_ALL"] = "C";
        return Of(start, input, stop);
    }

    /// <summary>Runs a program to its end, as the other one does, but with the environment that is given.</summary>
    public static ProgramRun Of(ProcessStartInfo start, string input = "", CancellationToken stop = default)
    {
        stop.ThrowIfCancellationRequested();
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.StandardErrorEncoding = Encoding.UTF8;
        long started = Stopwatch.GetTimestamp();
        using Process process = Start(start);
        using CancellationTokenRegistration killing = stop.Register(process.Kill);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already: its exit code says enough.
        }

        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        if (process.ExitCode > BySignal && stop.CanBeCanceled)
        {
            // Ctrl-C reaches the program too, perhaps before this one hears of it.
            _ = stop.WaitHandle.WaitOne(Moment);
        }

        stop.ThrowIfCancellationRequested();
        return new ProgramRun(process.ExitCode, output, error.GetAwaiter().GetResult(), time);
    }

    /// <summary>The path of a program; null if it is not installed.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(MoreFolders)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>Starts a program and does not wait. Throws <see cref="StoreException"/> if it cannot be started.</summary>
    public static Process Start(ProcessStartInfo start)
    {
        foreach (string argument in start.ArgumentList)
        {
            PathStatus.RequireText(argument, $"because {Path.GetFileName(start.FileName)} is given it");
        }

        // A program has the signals ignored that its parent had when it began, and it has begun when Process.Start returns.
        lock (Starting)
        {
            Sys.IgnoreClosedPipes(false);
            try
            {
                return Process.Start(start)!;
            }
            catch (Win32Exception e)
            {
                throw new StoreException($"{start.FileName}: it cannot be run ({e.Message})");
            }
            finally
            {
                Sys.IgnoreClosedPipes(true);
            }
        }
    }

    /// <summary>The last line of what a program wrote.</summary>
    public static string LastLine(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault("it does not say why");
}
