using System.Globalization;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The programs in /etc/hacktree/health.d of a root on trial. They run in the order of their names, and the root is good if each ends with 0 in
/// time. The first that does not is the reason of a fall back.
/// </summary>
public static class HealthChecks
{
    private const string Folder = "/etc/hacktree/health.d";

    // Of a bisect. It runs after the machine's own checks.
    private const string AddedName = "zz-bisect";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Runs the checks. Returns why the root is not good; null if it is.</summary>
    public static string? FindFault()
    {
        string[] checks = Directory.Exists(Folder) ? Directory.GetFiles(Folder) : [];
        Array.Sort(checks, StringComparer.Ordinal);
        return checks.Select(Run).FirstOrDefault(fault => fault is not null);
    }

    /// <summary>Makes a program one of the checks of the root at a path.</summary>
    internal static void Add(string root, string program)
    {
        string folder = Path.Combine(root, Folder[1..]);
        Directory.CreateDirectory(folder);
        OpenPath.Replace(Path.Combine(folder, AddedName), File.ReadAllBytes(program), FileModes.Program);
    }

    private static string? Run(string check)
    {
        using var stop = new CancellationTokenSource(Patience);
        try
        {
            ProgramRun run = ProgramRun.Of([check], stop: stop.Token);
            string words = run.Error.Length > 0 ? run.LastWords : ProgramRun.LastLine(run.Output);
            return run.Succeeded ? null : string.Create(CultureInfo.InvariantCulture, $"{check} ended with {run.ExitCode}: {words}");
        }
        catch (OperationCanceledException)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{check} was not done after {Patience.TotalSeconds} s");
        }
        catch (StoreException e)
        {
            return e.Message;
        }
    }
}
