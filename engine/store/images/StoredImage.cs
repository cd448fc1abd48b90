using HackTree.Model;

namespace HackTree.Store;

/// <summary>An image in images/, as its name tells.</summary>
/// <param name="Commit">The commit whose names and metadata it has.</param>
/// <param name="Digest">The fs-verity digest of its bytes.</param>
public readonly record struct StoredImage(Digest Commit, Digest Digest)
{
    /// <summary>Its path below the store.</summary>
    public string Path => $"{Images.Room}/{FileName}";

    internal string FileName => $"{Commit}.{Digest}";

    internal static bool TryParse(ReadOnlySpan<byte> name, out StoredImage image)
    {
        image = default;
        if (name.Length != (2 * Digest.HexLength) + 1 || name[Digest.HexLength] != (byte)'.'
            || !Digest.TryParse(name[..Digest.HexLength], out Digest commit) || !Digest.TryParse(name[(Digest.HexLength + 1)..], out Digest digest))
        {
            return false;
        }

        image = new StoredImage(commit, digest);
        return true;
    }
}
