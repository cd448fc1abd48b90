using System.Runtime.InteropServices;

namespace HackTree.Cli;

/// <summary>The reaction of a command to SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal).</summary>
internal enum StopWay
{
    /// <summary>The command checks <see cref="StopSignals.Token"/>, takes back what is half done, and ends.</summary>
    TakeBack,

    /// <summary>The command ends where it is. It changes nothing, so nothing can be half done.</summary>
    EndAtOnce,

    /// <summary>
    /// Like <see cref="TakeBack"/>, but SIGINT and SIGQUIT are left to the program that the command runs, such as a shell.
    /// </summary>
    LeaveKeysToChild,
}

/// <summary>
/// Handles the signals that stop the program. The first signal asks the command to stop. The second one ends the process at once, as if no
/// handler existed. A signal that was ignored when the program started, as with nohup, stays ignored.
/// </summary>
internal static class StopSignals
{
    private static readonly CancellationTokenSource Source = new();
    private static readonly List<PosixSignalRegistration> Registrations = [];
    private static StopWay way;

    /// <summary>The token that long work checks.</summary>
    internal static CancellationToken Token => Source.Token;

    /// <summary>The exit code of a stopped command: the code that a shell reports for a process that the signal ended.</summary>
    internal static int ExitCode { get; private set; }

    /// <summary>Handles the signals from now on.</summary>
    internal static void Handle(StopWay handled)
    {
        way = handled;
        Handle(PosixSignal.SIGINT, 128 + 2);
        Handle(PosixSignal.SIGTERM, 128 + 15);
        Handle(PosixSignal.SIGHUP, 128 + 1);
        if (way == StopWay.LeaveKeysToChild)
        {
            Handle(PosixSignal.SIGQUIT, 128 + 3);
        }
    }

    private static void Handle(PosixSignal signal, int exitCode) =>
        Registrations.Add(PosixSignalRegistration.Create(signal, context => OnSignal(context, exitCode)));

    private static void OnSignal(PosixSignalContext context, int exitCode)
    {
        if (way == StopWay.LeaveKeysToChild && context.Signal is PosixSignal.SIGINT or PosixSignal.SIGQUIT)
        {
            context.Cancel = true;
            return;
        }

        // A second signal is not cancelled, so it ends the process as it would without a handler.
        context.Cancel = !Token.IsCancellationRequested;
        if (way == StopWay.EndAtOnce)
        {
            Failure.Say("stopped");
            Environment.Exit(exitCode);
        }

        if (context.Cancel)
        {
            ExitCode = exitCode;
            Source.Cancel();
        }
    }
}
