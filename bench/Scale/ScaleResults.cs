using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>The results of `scale`, in scale.json.</summary>
internal sealed record ScaleResults
{
    public required DateTimeOffset Date { get; init; }
    public required MachineFacts Machine { get; init; }
    public required FilesystemFacts Filesystem { get; init; }
    public required string HackTree { get; init; }

    /// <summary>Whether the page cache was dropped before each command.</summary>
    public bool IsCold { get; init; }

    public required IReadOnlyList<ScalePoint> Points { get; init; }

    /// <summary>Works that failed, with the reasons.</summary>
    public required IReadOnlyList<string> Skipped { get; init; }

    /// <summary>
    /// The power of the number of files by which a work grows between the smallest and the largest tree; 1 means in proportion. Null if there
    /// are fewer than two trees.
    /// </summary>
    internal double? Exponent(string work)
    {
        ScalePoint[] measured = [.. Points.Where(point => point.Find(work) is not null).OrderBy(point => point.Files)];
        return measured.Length < 2
            ? null
            : Math.Log(measured[^1].Find(work)!.Counted / measured[0].Find(work)!.Counted) / Math.Log((double)measured[^1].Files / measured[0].Files);
    }
}

/// <summary>One tree, and the results of each command on it.</summary>
internal sealed record ScalePoint(long Files, long Directories, long Bytes, IReadOnlyList<Row> Rows)
{
    internal Row? Find(string work) => Rows.FirstOrDefault(row => row.Work == work);
}
