using System.Text;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>One directory that is merged: its three trees, and the tree of what is in its place now. It owns its two directories.</summary>
/// <param name="path">Its path below /etc.</param>
/// <param name="old">As the old commit has it.</param>
/// <param name="mine">As the old root has it.</param>
/// <param name="theirs">As the new commit has it.</param>
/// <param name="now">As the new root has it.</param>
internal sealed class EtcLevel(byte[] path, Tree old, Tree mine, Tree theirs, Tree now) : IDisposable
{
    private readonly TreeIndex present = new(now);
    private int next;

    internal TreeIndex Old { get; } = new(old);

    internal TreeIndex Mine { get; } = new(mine);

    internal TreeIndex Theirs { get; } = new(theirs);

    /// <summary>The directory in the new root.</summary>
    internal required SafeFileHandle Place { get; init; }

    /// <summary>The directory in the old root; null if it has none.</summary>
    internal required SafeFileHandle? Source { get; init; }

    /// <summary>The metadata that the directory gets at the end.</summary>
    internal FileMetadata Metadata { get; init; }

    internal byte[] Xattrs { get; init; } = [];

    /// <summary>Whether the metadata must be set, because they differ or because a name changed.</summary>
    internal bool NeedsMetadata { get; set; }

    /// <summary>Whether what becomes of all in it has been told with its own name.</summary>
    internal bool IsTold { get; init; }

    internal bool IsTop => path.Length == 0;

    /// <summary>What becomes of each name. Filled before the first name is changed.</summary>
    internal List<(byte[] Name, EtcOutcome Outcome)> Plan { get; } = [];

    /// <summary>Names that theirs are put under. What mine has there is from an earlier merge.</summary>
    internal HashSet<string> Beside { get; } = [];

    /// <summary>Names of the new root that were removed since its tree was read.</summary>
    internal HashSet<string> Gone { get; } = [];

    /// <summary>What the new root has.</summary>
    internal TreeEntry NowOf(ReadOnlySpan<byte> name) => Gone.Contains(Encoding.Latin1.GetString(name)) ? default : present.Find(name);

    internal bool Next(out byte[] name, out EtcOutcome outcome)
    {
        (name, outcome) = next < Plan.Count ? Plan[next] : ([], default);
        return next++ < Plan.Count;
    }

    internal byte[] PathOf(ReadOnlySpan<byte> name) => IsTop ? name.ToArray() : [.. path, (byte)'/', .. name];

    /// <summary>The names of the three trees in order.</summary>
    internal IEnumerable<byte[]> Names()
    {
        var names = new SortedSet<byte[]>(Comparer<byte[]>.Create(static (x, y) => x.AsSpan().SequenceCompareTo(y)));
        foreach (Tree tree in (Tree[])[old, mine, theirs])
        {
            foreach (TreeEntry entry in tree)
            {
                names.Add(entry.Name.ToArray());
            }
        }

        return names;
    }

    public void Dispose()
    {
        Place.Dispose();
        Source?.Dispose();
    }
}
