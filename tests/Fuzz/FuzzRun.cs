using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using HackTree.Tests.Model;

namespace HackTree.Tests.Fuzz;

/// <summary>An input on which a decoder broke its promise.</summary>
/// <param name="Input">The input.</param>
/// <param name="What">What happened: the exception, or the bound that was passed.</param>
internal sealed record FuzzFinding(byte[] Input, string What);

/// <summary>
/// Gives one target its seeds and changed copies of them. An input that takes a new way through the decoder is changed too (<see cref="Coverage"/>). The
/// same seed makes the same inputs, for one build of instrumented assemblies.
/// </summary>
/// <remarks>
/// One thread decodes, with the small stack of a worker thread. Before each input, the input is written to a file: if the process dies, the file
/// has what killed it. The caller's thread looks at the clock, for an input that never ends.
/// </remarks>
internal sealed class FuzzRun(FuzzTarget target, int seed, string folder)
{
    /// <summary>How long an input may take before the run is given up, in any case.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private const int MostFindings = 20;

    private readonly Random random = new(seed);
    private readonly Mutator mutator = new(seed);
    private readonly List<byte[]> corpus = [];
    private readonly Dictionary<string, FuzzFinding> findings = [];
    private readonly Coverage coverage = new();
    private FileStream? current;
    private long started;

    public long Executions { get; private set; }

    public int Taken { get; private set; }

    public int Edges => coverage.Edges;

    public int SeedEdges { get; private set; }

    public int Inputs => corpus.Count;

    public IReadOnlyCollection<FuzzFinding> Findings => findings.Values;

    /// <summary>Runs until <paramref name="goesOn"/> says no; it is asked before each changed input.</summary>
    public void Run(Func<FuzzRun, bool> goesOn)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Work(goesOn);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.IsBackground = true;
        thread.Start();
        while (!thread.Join(TimeSpan.FromSeconds(1)))
        {
            long since = Volatile.Read(ref started);
            if (since != 0 && Stopwatch.GetElapsedTime(since) > Patience)
            {
                Assert.Fail($"{target.Name}, seed {seed}: no end after {Patience}; the input is {CurrentPath}");
            }
        }

        Assert.True(failure is null, $"{target.Name}, seed {seed}: {failure}");
    }

    private string CurrentPath => Path.Combine(folder, "current");

    private void Work(Func<FuzzRun, bool> goesOn)
    {
        Directory.CreateDirectory(folder);
        using var file = new FileStream(CurrentPath, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        current = file;
        foreach ((_, byte[] bytes) in FuzzCorpus.Of(target.Name))
        {
            Try(bytes);
            corpus.Add(bytes);
        }

        SeedEdges = coverage.Edges;
        while (goesOn(this) && findings.Count < MostFindings)
        {
            byte[] input = Next();
            if (Try(input))
            {
                corpus.Add(input);
            }
        }

        File.Delete(CurrentPath);
    }

    /// <summary>A changed copy. One that took a new way lately is chosen more often.</summary>
    private byte[] Next()
    {
        int newest = Math.Max(1, corpus.Count / 4);
        byte[] from = random.Next(2) == 0 ? corpus[^(1 + random.Next(newest))] : corpus[random.Next(corpus.Count)];
        byte[] changed = mutator.Next(from, corpus[random.Next(corpus.Count)], target.Words);
        changed = changed.Length <= FuzzTarget.MaxLength ? changed : changed[..FuzzTarget.MaxLength];
        return random.Next(8) > 0 ? target.Seal(changed) : changed;
    }

    /// <summary>Decodes an input; returns whether it took a new way. One that takes too long is tried again, because the machine may have been busy.</summary>
    private bool Try(byte[] input)
    {
        current!.SetLength(0);
        current.Write(input);
        coverage.Clear();
        TimeSpan longest = target.Time + (input.Length * target.TimePerByte);
        TimeSpan time = Measure(input);
        bool isNew = coverage.TakeNew();
        for (int again = 0; again < 2 && time > longest; again++)
        {
            TimeSpan second = Measure(input);
            time = second < time ? second : time;
        }

        if (time > longest)
        {
            Report("time", input, $"it takes {time.TotalMilliseconds:F0} ms for {input.Length} bytes, and {longest.TotalMilliseconds:F0} ms are allowed");
        }

        return isNew;
    }

    private TimeSpan Measure(byte[] input)
    {
        Executions++;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Volatile.Write(ref started, Stopwatch.GetTimestamp());
        try
        {
            Taken += target.Decode(input) ? 1 : 0;
        }
        catch (Exception e) when (Array.Exists(target.Refusals, type => type.IsInstanceOfType(e)))
        {
            RequireSentence(input, e);
        }
        catch (Exception e)
        {
            Report($"{e.GetType()} {e.StackTrace?.Split('\n').FirstOrDefault()}", input, e.ToString());
        }

        TimeSpan time = Stopwatch.GetElapsedTime(started);
        Volatile.Write(ref started, 0);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before, most = target.Memory + (input.Length * target.MemoryPerByte);
        if (allocated > most)
        {
            Report("memory", input, $"it allocates {allocated} bytes for {input.Length}, and {most} are allowed");
        }

        return time;
    }

    // What a user would be shown: one line, and no name of a type of ours or of .NET.
    private void RequireSentence(byte[] input, Exception refusal)
    {
        if (refusal is FormatException or OperationCanceledException)
        {
            return;
        }

        if (refusal.Message.Contains('\n', StringComparison.Ordinal) || refusal.Message.Length is < 4 or > 5000)
        {
            Report($"sentence {refusal.StackTrace?.Split('\n').FirstOrDefault()}", input, $"it is refused with '{refusal.Message}', which is no sentence");
        }
    }

    private void Report(string kind, byte[] input, string what)
    {
        if (findings.TryAdd(kind, new FuzzFinding(input, what)))
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"bad-{Convert.ToHexStringLower(SHA256.HashData(input))[..8]}");
            File.WriteAllBytes(Path.Combine(folder, name), input);
            File.WriteAllText(Path.Combine(folder, $"{name}.txt"), $"{target.Name}, seed {seed}, input {Executions}: {what}\n");
        }
    }
}
