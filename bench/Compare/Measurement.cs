using System.Diagnostics;
using System.Globalization;

namespace HackTree.Bench.Compare;

/// <summary>The time and memory of one run of a command.</summary>
internal sealed record Measurement(double Seconds, double SyncSeconds, double CpuSeconds, long PeakBytes, int ExitCode)
{
    /// <summary>Reads the line that bench/native/measure.c writes.</summary>
    internal static Measurement Parse(string line)
    {
        string[] fields = line.Trim().Split(' ');
        if (fields.Length != 6)
        {
            throw new FormatException($"'{line}' is not what measure writes");
        }

        double[] numbers = [.. fields.Select(field => double.Parse(field, CultureInfo.InvariantCulture))];
        return new Measurement(numbers[0], numbers[1], numbers[2] + numbers[3], (long)numbers[4] * 1024, (int)numbers[5]);
    }
}

/// <summary>
/// Runs commands through bench/native/measure.c. With <paramref name="isCold"/>, the page cache is dropped before each command; an image in
/// memory stays there and is like a fast disk.
/// </summary>
internal sealed class Measurer(NativeTools tools, string scratch, bool isCold, CancellationToken stop)
{
    /// <summary>Runs one command. The filesystem is synced before it, untimed, and after it, timed.</summary>
    /// <param name="command">Program and arguments.</param>
    /// <param name="filesystem">A directory on the filesystem.</param>
    /// <param name="printsSeconds">Whether the last line of the command's output is the time that counts.</param>
    /// <param name="success">The exit codes that mean success.</param>
    internal Measurement Run(IReadOnlyList<string> command, string filesystem, bool printsSeconds, IReadOnlyList<int> success)
    {
        stop.ThrowIfCancellationRequested();
        string result = Path.Combine(scratch, "result"), output = printsSeconds ? Path.Combine(scratch, "output") : "/dev/null";
        var start = new ProcessStartInfo(tools.Measure, [result, output, filesystem, .. command])
        {
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment.Remove("HACKTREE_STORE");
        start.Environment["LC_ALL"] = "C.UTF-8";
        if (isCold)
        {
            DropCaches(command[0]);
        }

        using Process process = Process.Start(start)!;
        using CancellationTokenRegistration killing = stop.Register(() => process.Kill(entireProcessTree: true));
        process.StandardInput.Close();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        stop.ThrowIfCancellationRequested();
        if (process.ExitCode != 0)
        {
            throw new BenchException(Shell.LastLines(error));
        }

        Measurement measured = Measurement.Parse(File.ReadAllText(result));
        if (!success.Contains(measured.ExitCode))
        {
            throw new BenchException($"{string.Join(' ', command)}: exit code {measured.ExitCode}: {Shell.LastLines(error)}");
        }

        return printsSeconds
            ? measured with { Seconds = double.Parse(File.ReadLines(output).Last(), CultureInfo.InvariantCulture) }
            : measured;
    }

    /// <summary>Drops all clean caches (kernel document admin-guide/sysctl/vm), then reads the program itself back into memory.</summary>
    private static void DropCaches(string program)
    {
        _ = Shell.Run("sync");
        File.WriteAllText("/proc/sys/vm/drop_caches", "3");
        _ = File.Exists(program) ? File.ReadAllBytes(program) : [];
    }
}
