using System.Text.Json;
using System.Text.Json.Nodes;
using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>The <c>index.json</c> of an OCI image layout (OCI image specification, "Image Layout"). Entries of other programs stay as they are.</summary>
internal sealed class Layout
{
    /// <summary>The file's name.</summary>
    internal const string IndexName = "index.json";

    /// <summary>The longest index that is read, in bytes.</summary>
    internal const int MaxLength = 64 * 1024 * 1024;

    private const string ManifestsKey = "manifests";
    private const string AnnotationsKey = "annotations";
    private const string TagKey = "org.opencontainers.image.ref.name";
    private const string CommitKey = "vnd.hacktree.commit";

    private readonly JsonObject root;
    private readonly JsonArray manifests;

    private Layout(JsonObject root, JsonArray manifests)
    {
        this.root = root;
        this.manifests = manifests;
    }

    /// <summary>The path of a blob in a layout.</summary>
    internal static string PathOf(Digest digest) => $"blobs/sha256/{digest}";

    /// <summary>The index of a new layout.</summary>
    internal static Layout Empty()
    {
        JsonArray manifests = [];
        JsonObject root = new() { ["schemaVersion"] = 2, ["mediaType"] = "application/vnd.oci.image.index.v1+json", [ManifestsKey] = manifests };
        return new Layout(root, manifests);
    }

    /// <summary>Reads an index; null for bytes that are none.</summary>
    internal static Layout? TryDecode(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!ByteText.IsUtf8(bytes)
                || JsonNode.Parse(bytes, null, new JsonDocumentOptions { AllowDuplicateProperties = false }) is not JsonObject root
                || root[ManifestsKey] is not JsonArray manifests)
            {
                return null;
            }

            // The parser looks at no text. Half of a surrogate pair, as "\ud800", would throw when somebody reads it or writes the index.
            var layout = new Layout(root, manifests);
            _ = layout.Encode();
            return layout;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The index's bytes.</summary>
    internal byte[] Encode()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Json.Options))
        {
            root.WriteTo(json);
        }

        return buffer.ToArray();
    }

    /// <summary>All tags.</summary>
    internal IReadOnlyList<string> Tags() => [.. manifests.Select(entry => TextOf(entry, TagKey)).OfType<string>()];

    /// <summary>What a tag names; null if there is no such tag, or if its entry is damaged.</summary>
    internal TagTarget? Find(string tag) => TargetOf(manifests.FirstOrDefault(entry => TextOf(entry, TagKey) == tag));

    /// <summary>What the tag latest names, or the only entry, which needs no tag.</summary>
    internal TagTarget? FindUntagged() => manifests.Count == 1 ? TargetOf(manifests[0]) : Find(Remote.DefaultTag);

    private static TagTarget? TargetOf(JsonNode? entry)
    {
        if (entry is null)
        {
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(entry.ToJsonString());
            _ = Digest.TryParse(TextOf(entry, CommitKey), out Digest commit);
            return new TagTarget(commit, null, Manifest.Read(document.RootElement));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Makes a tag name a manifest: of a commit, or of a container image if the commit is none.</summary>
    internal void Set(string tag, Descriptor manifest, Digest commit)
    {
        foreach (JsonNode? old in manifests.Where(entry => TextOf(entry, TagKey) == tag).ToList())
        {
            manifests.Remove(old);
        }

        JsonObject annotations = new() { [TagKey] = tag };
        JsonObject described = new() { ["mediaType"] = manifest.MediaType, ["digest"] = manifest.DigestText, ["size"] = manifest.Size };
        if (!commit.IsNone)
        {
            annotations[CommitKey] = commit.ToString();
            described["artifactType"] = MediaType.Artifact;
        }

        described[AnnotationsKey] = annotations;
        manifests.Add((JsonNode)described);
    }

    private static string? TextOf(JsonNode? entry, string annotation) =>
        entry is JsonObject fields && fields[AnnotationsKey] is JsonObject annotations
        && annotations[annotation] is JsonValue value && value.TryGetValue(out string? text)
            ? text
            : null;
}
