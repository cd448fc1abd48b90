using System.Text;

namespace HackTree.Transfer;

/// <summary>
/// Finds for a new blob the old one that it most likely was made from: the file that had its path, else one that had its name and about its length.
/// </summary>
internal sealed class DeltaBases
{
    private const int Shortest = 4096;

    private readonly Dictionary<string, SentBlob> byPath = [];
    private readonly Dictionary<string, List<SentBlob>> byName = [];

    /// <summary>Takes the blobs of the old commit.</summary>
    internal DeltaBases(IEnumerable<SentBlob> old)
    {
        foreach (SentBlob blob in old.Where(HasLength))
        {
            byPath[Text(blob.Path)] = blob;
            string name = NameOf(blob);
            if (!byName.TryGetValue(name, out List<SentBlob>? same))
            {
                byName.Add(name, same = []);
            }

            same.Add(blob);
        }
    }

    /// <summary>The old blob for a new one; null if none is likely.</summary>
    internal SentBlob? Find(SentBlob blob)
    {
        if (!HasLength(blob))
        {
            return null;
        }

        if (byPath.TryGetValue(Text(blob.Path), out SentBlob? before))
        {
            return before;
        }

        return byName.TryGetValue(NameOf(blob), out List<SentBlob>? same)
            ? same.Where(old => old.Size <= 2 * blob.Size && blob.Size <= 2 * old.Size).MinBy(old => Math.Abs(old.Size - blob.Size))
            : null;
    }

    private static bool HasLength(SentBlob blob) => blob.Size is >= Shortest and <= DeltaHead.MaxPatched;

    private static string NameOf(SentBlob blob) => Text(blob.Path.AsSpan(blob.Path.AsSpan().LastIndexOf((byte)'/') + 1));

    // Each byte as one character, whatever encoding the names have.
    private static string Text(ReadOnlySpan<byte> path) => Encoding.Latin1.GetString(path);
}
