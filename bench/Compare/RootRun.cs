using System.Runtime.InteropServices;
using HackTree.Linux;

namespace HackTree.Bench.Compare;

/// <summary>A run that mounts filesystems: as root, with a scratch directory, and tidied up after whatever ends it.</summary>
internal static class RootRun
{
    private const int Failed = 1;
    private const int Interrupted = 128 + 2;

    /// <summary>Runs it with the path of the scratch directory, on a real disk below out/; answers the exit code.</summary>
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

    /// <summary>/dev/shm where it has this much room, so that the disk's mood does not count; else out/bench.</summary>
    internal static string ImageDirectory(string? given, long room)
    {
        string directory = given
            ?? (Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > room ? "/dev/shm" : Path.Combine(NativeTools.Repository, "out", "bench"));
        return Folder(directory);
    }

    /// <summary>Where results go: the directory given, or out/bench/NAME. It is made now, so that nothing is measured in vain.</summary>
    internal static string OutputFolder(string? given, string name) => Folder(given ?? Path.Combine(NativeTools.Repository, "out", "bench", name));

    /// <summary>The hacktree to measure: the one given, or out/hacktree.</summary>
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
