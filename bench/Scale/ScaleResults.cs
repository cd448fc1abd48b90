using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>What `scale` found: scale.json.</summary>
internal sealed record ScaleResults
{
    public required DateTimeOffset Date { get; init; }
    public required MachineFacts Machine { get; init; }
    public required FilesystemFacts Filesystem { get; init; }
    public required string HackTree { get; init; }

    /// <summary>Whether the page cache was dropped before each command.</summary>
    public bool IsCold { get; init; }

    public required IReadOnlyList<ScalePoint> Points { get; init; }

    /// <summary>What failed or was left out.</summary>
    public required IReadOnlyList<string> Skipped { get; init; }

    /// <summary>
    /// By which power of the number of files a work grows between the smallest and the largest tree: 1 is in proportion.
    /// Null where there are not two trees to tell from.
    /// </summary>
    internal double? Exponent(string work)
    {
        ScalePoint[] measured = [.. Points.Where(point => point.Find(work) is not null).OrderBy(point => point.Files)];
        return measured.Length < 2
            ? null
            : Math.Log(measured[^1].Find(work)!.Counted / measured[0].Find(work)!.Counted) / Math.Log((double)measured[^1].Files / measured[0].Files);
    }
}

/// <summary>One tree, and what each verb took with it.</summary>
internal sealed record ScalePoint(long Files, long Directories, long Bytes, IReadOnlyList<Row> Rows)
{
    internal Row? Find(string work) => Rows.FirstOrDefault(row => row.Work == work);
}
