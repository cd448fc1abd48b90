using System.Diagnostics;
using System.Globalization;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;
using SharpFuzz;

namespace HackTree.Tests.Fuzz;

/// <summary>
/// `make fuzz TARGET=tar MINUTES=5`: changed seeds, of which those are kept and changed on that take a new way through the decoder. A copy of the tests
/// is instrumented by SharpFuzz below out/fuzz, and runs each target in a process of its own. What is found is in out/fuzz/TARGET.
/// </summary>
public sealed class CoverageFuzzTests
{
    /// <summary>What is instrumented: all of HackTree that decodes, and the packages that unpack.</summary>
    private static readonly (string Assembly, Func<string, bool> IsMeant)[] Instrumented =
    [
        ("HackTree.Model", _ => true),
        ("HackTree.Store", _ => true),
        ("HackTree.Checkout", _ => true),
        ("HackTree.Transfer", _ => true),
        ("HackTree.Boot", _ => true),
        ("SharpCompress", type => type.StartsWith("SharpCompress.Compressors.", StringComparison.Ordinal)),
        ("ZstdSharp", _ => true),
        ("K4os.Compression.LZ4", _ => true),
    ];

    [Fact(Explicit = true)]
    public void All_chosen_targets()
    {
        string program = Instrument();
        string wanted = InstrumentedFuzzTests.Target ?? "*";
        string[] targets = [.. FuzzTargets.Names.Where(name => wanted is "*" || wanted.Split(' ', ',').Contains(name))];
        Assert.NotEmpty(targets);
        File.Delete(Path.Combine(InstrumentedFuzzTests.Folder, "reports"));
        List<string> failures = [];
        foreach (string target in targets)
        {
            string folder = Path.Combine(InstrumentedFuzzTests.Folder, target), report = Path.Combine(folder, "report");
            Directory.CreateDirectory(folder);
            File.Delete(report);
            string[] arguments = ["-noLogo", "-noColor", "-noAutoReporters", "-reporter", "quiet", "-class", $"*.{nameof(InstrumentedFuzzTests)}", "-explicit", "only"];
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
            start.Environment[InstrumentedFuzzTests.TargetVariable] = target;
            using Process process = Process.Start(start)!;
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            string said = File.Exists(report) ? File.ReadAllText(report) : $"{target}: exit code {process.ExitCode}, at the input {folder}/current\n{output}";
            File.AppendAllText(Path.Combine(InstrumentedFuzzTests.Folder, "reports"), said);
            if (process.ExitCode != 0)
            {
                failures.Add(said);
            }
        }

        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    /// <summary>Makes the instrumented copy; returns its program.</summary>
    private static string Instrument()
    {
        string copy = Path.Combine(InstrumentedFuzzTests.Folder, "program");
        if (Directory.Exists(copy))
        {
            Directory.Delete(copy, recursive: true);
        }

        Directory.CreateDirectory(copy);
        Tools.Run("cp", "-a", $"{AppContext.BaseDirectory}.", copy).Succeeded();
        foreach ((string assembly, Func<string, bool> isMeant) in Instrumented)
        {
            Assert.NotEmpty(Fuzzer.Instrument(Path.Combine(copy, $"{assembly}.dll"), isMeant, Options.Value));
        }

        return Path.Combine(copy, Path.GetFileName(Environment.ProcessPath!));
    }
}

/// <summary>What the instrumented copy of the tests runs: one target, for some minutes.</summary>
public sealed class InstrumentedFuzzTests(FuzzPlace place) : IClassFixture<FuzzPlace>
{
    internal const string TargetVariable = "HACKTREE_FUZZ_TARGET";
    private const string MinutesVariable = "HACKTREE_FUZZ_MINUTES";

    internal static string Folder { get; } = Path.Combine(Repository.Root, "out", "fuzz");

    internal static string? Target => Variable(TargetVariable);

    [Fact(Explicit = true)]
    public void One_target()
    {
        string name = Target ?? throw new InvalidOperationException($"{TargetVariable} is not set");
        var time = TimeSpan.FromMinutes(double.Parse(Variable(MinutesVariable) ?? "1", CultureInfo.InvariantCulture));
        var run = new FuzzRun(FuzzTests.Find(name, place), FuzzTests.Seed, Path.Combine(Folder, name));
        long began = Stopwatch.GetTimestamp();
        run.Run(_ => Stopwatch.GetElapsedTime(began) < time);
        string report = string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: seed {FuzzTests.Seed}, {Stopwatch.GetElapsedTime(began).TotalMinutes:F1} min, {run.Executions} inputs, {run.Taken} taken, "
            + $"{run.SeedEdges} edges by seeds, {run.Edges} in the end, {run.Inputs} kept, {run.Findings.Count} findings\n");
        File.WriteAllText(Path.Combine(Folder, name, "report"), report);
        Assert.True(run.Edges > 0, "nothing is instrumented");
        Assert.True(run.Findings.Count == 0, string.Join('\n', run.Findings.Select(finding => finding.What)));
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
