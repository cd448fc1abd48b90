using System.Buffers;
using System.Text;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Finds digests in files that cannot be read as what they should be.</summary>
internal static class Salvage
{
    private static readonly SearchValues<byte> Digits = SearchValues.Create("0123456789abcdef"u8);

    /// <summary>
    /// The commits of the store that a file names: every run of exactly 64 hexadecimal digits that is the digest of a commit. gc keeps them, so
    /// that a damaged record or an editor's copy of a ref costs nobody a commit.
    /// </summary>
    internal static List<Digest> CommitsIn(ReadOnlySpan<byte> bytes, Packs packs)
    {
        var found = new List<Digest>();
        while (!bytes.IsEmpty)
        {
            int length = bytes.IndexOfAnyExcept(Digits);
            length = length < 0 ? bytes.Length : length;
            if (length == Digest.HexLength
                && Digest.TryParse(Encoding.ASCII.GetString(bytes[..length]), out Digest digest)
                && packs.TryReadCommit(digest, out _))
            {
                found.Add(digest);
            }

            bytes = bytes[Math.Min(length + 1, bytes.Length)..];
        }

        return found;
    }
}
