using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>One blob of a remote, as a manifest names it (OCI image specification, "Descriptors").</summary>
/// <param name="MediaType">What it is: a constant of <see cref="MediaType"/>.</param>
/// <param name="Digest">The SHA-256 of its bytes.</param>
/// <param name="Size">Its length in bytes.</param>
public sealed record Descriptor(string MediaType, Digest Digest, long Size)
{
    /// <summary>The digest as the OCI specification writes it: "sha256:" and 64 digits.</summary>
    public string DigestText => $"sha256:{Digest}";

    /// <summary>Describes bytes.</summary>
    public static Descriptor Of(string mediaType, ReadOnlySpan<byte> bytes) => new(mediaType, Digest.Of(bytes), bytes.Length);
}

/// <summary>The media types of a commit's manifest and blobs (transfer/FORMAT.md, section 1).</summary>
public static class MediaType
{
    /// <summary>An image manifest.</summary>
    public const string Manifest = "application/vnd.oci.image.manifest.v1+json";

    /// <summary>The manifest's artifactType.</summary>
    public const string Artifact = "application/vnd.hacktree.commit.v1";

    /// <summary>A commit's text.</summary>
    public const string Commit = "application/vnd.hacktree.commit.v1+text";

    /// <summary>A pack of trees and commits.</summary>
    public const string Pack = "application/vnd.hacktree.pack.v1";

    /// <summary>An index of bundles.</summary>
    public const string Index = "application/vnd.hacktree.index.v1";

    /// <summary>A bundle of zstd frames.</summary>
    public const string Bundle = "application/vnd.hacktree.bundle.v1";

    /// <summary>A delta from another commit.</summary>
    public const string Delta = "application/vnd.hacktree.delta.v1";
}
