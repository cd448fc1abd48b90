using System.Text.Json;
using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>The media types of container images: OCI's, and docker's of the same things.</summary>
internal static class ImageType
{
    internal const string Index = "application/vnd.oci.image.index.v1+json";
    internal const string Config = "application/vnd.oci.image.config.v1+json";
    internal const string GzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
    internal const string ZstdLayer = "application/vnd.oci.image.layer.v1.tar+zstd";

    private const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
    private const string DockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
    private const string DockerConfig = "application/vnd.docker.container.image.v1+json";

    /// <summary>What a registry may answer with when a tag is asked for.</summary>
    internal static IReadOnlyList<string> Asked { get; } = [MediaType.Manifest, Index, DockerManifest, DockerList];

    private static readonly string[] Layers =
    [
        "application/vnd.oci.image.layer.v1.tar", GzipLayer, ZstdLayer, "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ];

    internal static bool IsConfig(string type) => type is Config or DockerConfig;

    internal static bool IsLayer(string type) => Layers.Contains(type);
}

/// <summary>What a tag of a place with container images names: an image, or an index of images for several platforms. An immutable value.</summary>
/// <param name="Config">The image's configuration; null for an index.</param>
/// <param name="Layers">The image's layers, the lowest first.</param>
/// <param name="Choices">The images of an index, each with its platform, if it says one.</param>
internal sealed record ImageManifest(Descriptor? Config, IReadOnlyList<Descriptor> Layers, IReadOnlyList<(Descriptor Manifest, Platform? Platform)> Choices)
{
    /// <summary>The longest manifest or index in bytes. Registries refuse longer ones.</summary>
    internal const int MaxLength = Manifest.MaxLength;

    /// <summary>Reads a manifest or an index. Null, with the end of a sentence, for bytes that are none.</summary>
    internal static ImageManifest? TryDecode(ReadOnlyMemory<byte> bytes, out string error)
    {
        error = "it is no manifest of a container image";
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonElement root = document.RootElement;
            bool isIndex = root.TryGetProperty("manifests", out JsonElement manifests), isImage = root.TryGetProperty("config", out JsonElement config);

            // One that is both is two things to two programs (CVE-2021-41190).
            if (isIndex == isImage || root.GetProperty("schemaVersion").GetInt32() != 2)
            {
                return null;
            }

            if (isIndex)
            {
                return new ImageManifest(null, [], [.. manifests.EnumerateArray().Select(each => (Manifest.Read(each), PlatformOf(each)))]);
            }

            Descriptor described = Manifest.Read(config);
            if (!ImageType.IsConfig(described.MediaType))
            {
                error = described.MediaType == MediaType.Commit ? "it is a commit of hacktree and no container image; pull it" : error;
                return null;
            }

            Descriptor[] layers = [.. root.GetProperty("layers").EnumerateArray().Select(Manifest.Read)];
            int other = Array.FindIndex(layers, layer => !ImageType.IsLayer(layer.MediaType));
            error = other < 0 ? ""
                : $"its layer {other + 1} is of the kind '{ByteText.Quote(ByteText.FromArgument(layers[other].MediaType))}', of which no tree can be made";
            return other < 0 ? new ImageManifest(described, layers, []) : null;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The image of an index for a platform; null if there is none. One that says no variant goes before others.</summary>
    internal Descriptor? Choose(Platform wanted) => Choices
        .Where(choice => choice.Platform is { } offered && wanted.Takes(offered))
        .OrderBy(choice => choice.Platform!.Variant.Length)
        .FirstOrDefault().Manifest;

    private static Platform? PlatformOf(JsonElement descriptor) =>
        descriptor.TryGetProperty("platform", out JsonElement platform)
            ? new Platform(platform.GetProperty("os").GetString() ?? "", platform.GetProperty("architecture").GetString() ?? "", VariantOf(platform))
            : null;

    private static string VariantOf(JsonElement platform) => platform.TryGetProperty("variant", out JsonElement variant) ? variant.GetString() ?? "" : "";
}
