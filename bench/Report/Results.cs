namespace HackTree.Bench.Report;

/// <summary>All that one run of `compare` found: results.json is this, word for word.</summary>
internal sealed record Results
{
    public required DateTimeOffset Date { get; init; }
    public required MachineFacts Machine { get; init; }
    public required TreeFacts Tree { get; init; }
    public required FilesystemFacts Filesystem { get; init; }
    public required IReadOnlyList<ContestantFacts> Contestants { get; init; }

    /// <summary>What did not take part, and why.</summary>
    public required IReadOnlyList<string> Skipped { get; init; }
    public required IReadOnlyList<Sample> Samples { get; init; }

    /// <summary>Made from the samples; written for readers of the file.</summary>
    public IReadOnlyList<Row> Medians => [.. Work.All.SelectMany(work => Summary.Rows(this, work))];
}

/// <summary>Where it ran, and how busy it was before (/proc/loadavg): figures of a busy machine are not worth much.</summary>
internal sealed record MachineFacts(string Processor, int Cores, long MemoryBytes, string Kernel, string System, string LoadBefore);

/// <summary>The source tree, as `floor count` sees it.</summary>
internal sealed record TreeFacts(string Path, long Directories, long OtherNames, long RegularFiles, long Symlinks, long Bytes, long ChangedFiles);

/// <summary>The filesystem that every contestant gets afresh.</summary>
internal sealed record FilesystemFacts(string Kind, string Mkfs, string ImageDirectory, string ImageSize);

/// <summary>A program that took part, how it was run and what its time holds of durability.</summary>
internal sealed record ContestantFacts(string Name, string Version, string How);

/// <summary>One command of one round.</summary>
internal sealed record Sample
{
    public required string Work { get; init; }
    public required string Contestant { get; init; }

    /// <summary>What tells two ways of one contestant apart: "ostree commit -I".</summary>
    public required string Label { get; init; }
    public required int Round { get; init; }
    public required double Seconds { get; init; }

    /// <summary>Of a syncfs right after the command.</summary>
    public required double SyncSeconds { get; init; }
    public required double CpuSeconds { get; init; }

    /// <summary>Of the largest process.</summary>
    public required long PeakBytes { get; init; }
}
