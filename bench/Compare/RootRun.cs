using System.Runtime.InteropServices;
using HackTree.Linux;

namespace HackTree.Bench.Compare;

/// <summary>A measurement is impossible. The message is one sentence.</summary>
internal sealed class BenchException(string message) : Exception(message);

/// <summary>Runs a measurement that mounts filesystems: as root, with a scratch directory, which is removed however the run ends.</summary>
internal static class RootRun
{
    private const int Failed = 1;
    private const int Interrupted = 128 + 2;

    /// <summary>Passes the path of the scratch directory, which is on a real disk below out/. Returns the exit code.</summary>
    internal static int Run(Action<string, CancellationToken> run)
    {
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, stop);
        using PosixSignalRegistration terminate = OnSignal(PosixSignal.SIGTERM, stop);
        string scratch = Path.Combine(NativeTools.Repository, "out", "bench", $"scratch-{Environment.ProcessId}");
        try
        {
            if (!Sys.IsRoot)
            {
                throw new BenchException("this needs root, to make and mount filesystems; `hacktree bench` does not");
            }

            Directory.CreateDirectory(scratch);
            run(scratch, stop.Token);
            return 0;
        }
        catch (BenchException e)
        {
            Say($"hacktree-bench: {e.Message}");
            return Failed;
        }
        catch (OperationCanceledException)
        {
            Say("hacktree-bench: stopped; what it made is removed");
            return Interrupted;
        }
        finally
        {
            if (Directory.Exists(scratch))
            {
                _ = Shell.Run("rm", "-rf", scratch);
            }
        }
    }

    internal static void Say(string line) => Console.Error.WriteLine(line);

    /// <summary>
    /// The directory for images: /dev/shm if it has this much space, so that the disk's speed does not matter; otherwise out/bench.
    /// </summary>
    internal static string ImageDirectory(string? given, long room)
    {
        bool hasRoom = Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > room;
        string directory = given ?? (hasRoom ? "/dev/shm" : Path.Combine(NativeTools.Repository, "out", "bench"));
        return Folder(directory);
    }

    /// <summary>
    /// The directory for results: the given one, or out/bench/NAME. It is made at once, so that a failure comes before the measurement.
    /// </summary>
    internal static string OutputFolder(string? given, string name) =>
        Folder(given ?? Path.Combine(NativeTools.Repository, "out", "bench", name));

    /// <summary>The hacktree to measure: the given one, or out/hacktree.</summary>
    internal static string HackTree(string? given)
    {
        string program = Path.GetFullPath(given ?? Path.Combine(NativeTools.Repository, "out", "hacktree"));
        return File.Exists(program) ? program : throw new BenchException($"{program} is not there; run `make build`");
    }

    private static string Folder(string path)
    {
        try
        {
            return Directory.CreateDirectory(path).FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BenchException($"{path}: no directory can be made there ({e.Message}); name another");
        }
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource stop) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        stop.Cancel();
    });
}
