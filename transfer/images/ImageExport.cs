using System.Buffers;
using System.Text.Json;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Which image to make of a commit.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="Tag">The image's tag.</param>
/// <param name="Platform">What the image is for; null for what the commit says, or else this machine.</param>
/// <param name="Packing">How its layers are compressed.</param>
/// <param name="Progress">Counts files and bytes.</param>
public sealed record ImageRequest(Digest Commit, string Tag, Platform? Platform, LayerPacking Packing, Progress? Progress);

/// <summary>An image that was made.</summary>
/// <param name="Manifest">The digest of its manifest.</param>
/// <param name="Layers">The number of its layers.</param>
/// <param name="Sent">The number of layers that were not there yet.</param>
public sealed record MadeImage(Digest Manifest, int Layers, int Sent);

/// <summary>
/// Makes a container image of a commit, in a registry or an OCI image layout. The same commit with the same history makes the same image.
/// </summary>
public static class ImageExport
{
    /// <summary>Makes an image. The tag is set last. Throws <see cref="StoreException"/> if the commit has what no image can have.</summary>
    public static MadeImage Run(ObjectStore store, Remote remote, ImageRequest request)
    {
        Commit commit = store.Packs.ReadCommit(request.Commit);
        Platform platform = request.Platform ?? PlatformOf(commit);
        IReadOnlyList<LayerPlan.Cut> plan = LayerPlan.Of(store, request.Commit);
        request.Progress?.TotalFiles = plan.Sum(cut => cut.Size.Files);
        Require(commit);
        (int sent, Descriptor[] blobs, Digest[] diffIds) = (0, new Descriptor[plan.Count], new Digest[plan.Count]);
        for (int i = 0; i < plan.Count; i++)
        {
            using MadeLayer layer = MadeLayer.Make(store, plan[i], request.Packing, request.Progress);
            (blobs[i], diffIds[i]) = (layer.Blob, layer.DiffId);
            sent += remote.SendUnlessThere(layer.Blob, layer.File) ? 1 : 0;
        }

        byte[] config = Config(store, commit, platform, plan, diffIds);
        var described = Descriptor.Of(ImageType.Config, config);
        remote.SendUnlessThere(described, new MemoryStream(config));
        byte[] manifest = ManifestOf(described, blobs, commit, request.Commit);
        remote.SetTags(manifest, default, [request.Tag]);
        return new MadeImage(Digest.Of(manifest), plan.Count, sent);
    }

    private static Platform PlatformOf(Commit commit) =>
        commit.Annotations.TryGetValue(ImageConfig.PlatformKey, out string? text) && Platform.TryParse(text) is { } said ? said : Platform.Here;

    private static IEnumerable<(string Key, string Name, string Value)> RunOf(Commit commit) => commit.Annotations
        .Where(each => each.Key.StartsWith(ImageConfig.RunPrefix, StringComparison.Ordinal) && each.Key.Length > ImageConfig.RunPrefix.Length)
        .Select(each => (each.Key, each.Key[ImageConfig.RunPrefix.Length..], each.Value));

    /// <summary>Requires that what the commit says of how a container is run can be in a configuration.</summary>
    private static void Require(Commit commit)
    {
        foreach ((string key, _, string value) in RunOf(commit))
        {
            try
            {
                JsonDocument.Parse(value).Dispose();
            }
            catch (JsonException)
            {
                throw new StoreException($"the commit's annotation {key} is no JSON: {value}");
            }
        }
    }

    private static byte[] Config(ObjectStore store, Commit commit, Platform platform, IReadOnlyList<LayerPlan.Cut> plan, Digest[] diffIds) => Write(json =>
    {
        json.WriteString("created", TimeOf(commit));
        json.WriteString("architecture", platform.Architecture);
        json.WriteString("os", platform.Os);
        if (platform.Variant.Length > 0)
        {
            json.WriteString("variant", platform.Variant);
        }

        json.WriteStartObject("config");
        foreach ((_, string name, string value) in RunOf(commit))
        {
            json.WritePropertyName(name);
            json.WriteRawValue(value);
        }

        json.WriteEndObject();
        json.WriteStartObject("rootfs");
        json.WriteString("type", "layers");
        json.WriteStartArray("diff_ids");
        foreach (Digest diffId in diffIds)
        {
            json.WriteStringValue($"sha256:{diffId}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartArray("history");
        foreach (LayerPlan.Cut cut in plan)
        {
            Commit end = store.Packs.ReadCommit(cut.Commit);
            json.WriteStartObject();
            json.WriteString("created", TimeOf(end));
            json.WriteString("created_by", $"hacktree export {cut.Commit}");
            json.WriteString("comment", end.Subject);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static byte[] ManifestOf(Descriptor config, Descriptor[] layers, Commit commit, Digest digest) => Write(json =>
    {
        json.WriteNumber("schemaVersion", 2);
        json.WriteString("mediaType", MediaType.Manifest);
        json.WritePropertyName("config");
        Manifest.Write(json, config);
        json.WriteStartArray("layers");
        foreach (Descriptor layer in layers)
        {
            Manifest.Write(json, layer);
        }

        json.WriteEndArray();
        json.WriteStartObject("annotations");
        json.WriteString("org.opencontainers.image.created", TimeOf(commit));
        json.WriteString("vnd.hacktree.commit", digest.ToString());
        json.WriteEndObject();
    });

    private static byte[] Write(Action<Utf8JsonWriter> fields)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Json.Options))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string TimeOf(Commit commit) => Manifest.TimeText(commit.Time);
}
