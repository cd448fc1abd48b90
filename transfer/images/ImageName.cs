using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Where a container image is, as a user says it: <c>oci://HOST/NAME[:TAG]</c> or <c>oci://HOST/NAME@sha256:...</c> in a registry,
/// <c>https://HOST/PATH[:TAG]</c> or <c>PATH[:TAG]</c> in an OCI image layout, and the path of an archive. An immutable value.
/// </summary>
/// <param name="Text">What the user said.</param>
/// <param name="Place">The registry or layout; null for an archive.</param>
/// <param name="Archive">The archive's path, or "-"; null for another place.</param>
/// <param name="Tag">The tag; null if none was said.</param>
/// <param name="Digest">The digest of the manifest; none if a tag says which one is meant.</param>
public sealed record ImageName(string Text, RemotePlace? Place, string? Archive, string? Tag, Digest Digest)
{
    private const string DigestMark = "@sha256:";

    /// <summary>Reads what a user said of an image that is there. Throws <see cref="StoreException"/> if there is no such place.</summary>
    public static ImageName Parse(string text)
    {
        if (text.Contains("://", StringComparison.Ordinal))
        {
            return ParseUrl(text);
        }

        // A path that exists is meant as it is, whatever colons are in it.
        (string path, string? tag) = text == "-" || PathStatus.Exists(text) ? (text, null) : CutTag(text);
        return path == "-" || PathStatus.IsFile(path) ? new ImageName(text, null, path, tag, default)
            : PathStatus.IsDirectory(path) ? new ImageName(text, RemotePlace.Parse(path), null, tag, default)
            : throw new StoreException($"{path}: no such file or directory; an image of a registry is oci://HOST/NAME:TAG");
    }

    /// <summary>Reads what a user said of where an image is to be. A path is that of an OCI image layout.</summary>
    public static ImageName ParseTarget(string text)
    {
        if (text.Contains("://", StringComparison.Ordinal))
        {
            ImageName name = ParseUrl(text);
            return name.Digest.IsNone ? name : throw new StoreException($"{text}: an image is given a tag, and has its digest by itself");
        }

        (string path, string? tag) = CutTag(text);
        return new ImageName(text, RemotePlace.Parse(path), null, tag, default);
    }

    private static ImageName ParseUrl(string text)
    {
        int mark = text.IndexOf(DigestMark, StringComparison.Ordinal);
        if (mark < 0)
        {
            (string place, string? tag) = RemotePlace.Split(text);
            return new ImageName(text, RemotePlace.Parse(place), null, tag is null ? null : RequireTag(text, tag), default);
        }

        // A tag before the digest is for people: the digest says which image it is.
        RemotePlace registry = RemotePlace.Parse(RemotePlace.Split(text[..mark]).Remote);
        return registry.Kind == RemoteKind.Registry && Digest.TryParse(text.AsSpan(mark + DigestMark.Length), out Digest digest)
            ? new ImageName(text, registry, null, null, digest)
            : throw new StoreException($"{text}: a digest is 64 hexadecimal digits behind oci://HOST/NAME{DigestMark}");
    }

    /// <summary>Cuts a tag from a path: what stands behind the last colon, if there is no slash in it.</summary>
    private static (string Path, string? Tag) CutTag(string text)
    {
        int colon = text.LastIndexOf(':');
        return colon > 0 && !text.AsSpan(colon).Contains('/') ? (text[..colon], RequireTag(text, text[(colon + 1)..])) : (text, null);
    }

    // The rule of the distribution specification.
    private static string RequireTag(string text, string tag) =>
        tag.Length is > 0 and <= 128 && tag[0] is not ('.' or '-') && tag.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-')
            ? tag
            : throw new StoreException($"{text}: '{tag}' is no tag; a tag has letters, digits, '_', '.' and '-', and begins with no '.' or '-'");
}
