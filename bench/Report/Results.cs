using System.Text.Encodings.Web;
using System.Text.Json;

namespace HackTree.Bench.Report;

/// <summary>The results of one run of `compare`. results.json has the same properties.</summary>
internal sealed record Results
{
    public required DateTimeOffset Date { get; init; }
    public required MachineFacts Machine { get; init; }
    public required TreeFacts Tree { get; init; }
    public required FilesystemFacts Filesystem { get; init; }
    public required IReadOnlyList<ContestantFacts> Contestants { get; init; }

    /// <summary>Contestants that did not take part, and works that failed, with the reasons.</summary>
    public required IReadOnlyList<string> Skipped { get; init; }
    public required IReadOnlyList<Sample> Samples { get; init; }

    /// <summary>The medians, which are made from the samples. They are written for readers of the file.</summary>
    public IReadOnlyList<Row> Medians => [.. Work.All.SelectMany(work => Summary.Rows(this, work))];
}

/// <summary>
/// The machine, and how busy it was before the run (/proc/loadavg), because figures of a busy machine are worth little.
/// </summary>
internal sealed record MachineFacts(string Processor, int Cores, long MemoryBytes, string Kernel, string System, string LoadBefore);

/// <summary>The source tree, as `floor count` counts it.</summary>
internal sealed record TreeFacts(string Path, long Directories, long OtherNames, long RegularFiles, long Symlinks, long Bytes, long ChangedFiles);

/// <summary>The filesystem that every contestant gets afresh.</summary>
internal sealed record FilesystemFacts(string Kind, string Mkfs, string ImageDirectory, string ImageSize);

/// <summary>A program that took part, how it was run, and how durable its result is when its time ends.</summary>
internal sealed record ContestantFacts(string Name, string Version, string How);

/// <summary>One command of one round.</summary>
internal sealed record Sample
{
    public required string Work { get; init; }
    public required string Contestant { get; init; }

    /// <summary>Tells several ways of one contestant apart, such as "ostree commit -I".</summary>
    public required string Label { get; init; }
    public required int Round { get; init; }
    public required double Seconds { get; init; }

    /// <summary>The time of a syncfs right after the command.</summary>
    public required double SyncSeconds { get; init; }
    public required double CpuSeconds { get; init; }

    /// <summary>The peak memory of the largest process.</summary>
    public required long PeakBytes { get; init; }

    /// <summary>The number of requests over the network.</summary>
    public long Requests { get; init; }

    /// <summary>The bytes of their answers, with headers.</summary>
    public long FetchedBytes { get; init; }
}

/// <summary>Writes and reads results.json and scale.json.</summary>
internal static class ResultsFile
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    internal static string Write<T>(T results) => JsonSerializer.Serialize(results, Options) + "\n";

    internal static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options) ?? throw new JsonException("the file holds null");
}
