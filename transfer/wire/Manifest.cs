using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>
/// What one push added to a remote: a pack, an index, and the index's bundles.
/// </summary>
/// <param name="Pack">Trees and commits.</param>
/// <param name="Index">Where the blobs are in the bundles.</param>
/// <param name="Bundles">The bundles, in the order of the index.</param>
public sealed record Generation(Descriptor Pack, Descriptor Index, IReadOnlyList<Descriptor> Bundles);

/// <summary>A delta on a remote.</summary>
/// <param name="Descriptor">The delta.</param>
/// <param name="From">The commit that a reader of it must have.</param>
public sealed record OfferedDelta(Descriptor Descriptor, Digest From);

/// <summary>The manifest of a commit on a remote (transfer/FORMAT.md, section 1). An immutable value.</summary>
/// <param name="Commit">The commit's text, whose digest is the commit's.</param>
/// <param name="Generations">The generations, the newest first; at least one.</param>
/// <param name="Created">The commit's time, in seconds since 1970.</param>
public sealed record Manifest(Descriptor Commit, IReadOnlyList<Generation> Generations, long Created)
{
    /// <summary>The longest manifest in bytes. Registries refuse longer ones.</summary>
    public const int MaxLength = 4_000_000;

    private const string SignaturesKey = "vnd.hacktree.signatures";
    private const string CreatedKey = "org.opencontainers.image.created";
    private const string RecordKey = "vnd.hacktree.record";
    private const string FromKey = "vnd.hacktree.from";
    private const string AnnotationsKey = "annotations";
    private const string SchemaVersionKey = "schemaVersion";
    private const string MediaTypeKey = "mediaType";
    private const string ArtifactTypeKey = "artifactType";
    private const string DigestKey = "digest";
    private const string DigestPrefix = "sha256:";

    /// <summary>The signatures of the commit. Nobody checked them.</summary>
    public IReadOnlyList<SshSignature> Signatures { get; init; } = [];

    /// <summary>The record of the ref whose tag names this manifest; null for none. Nobody checked it.</summary>
    public SignedRecord? Record { get; init; }

    /// <summary>Deltas to the commit from others.</summary>
    public IReadOnlyList<OfferedDelta> Deltas { get; init; } = [];

    /// <summary>The manifest's bytes. The same manifest always makes the same bytes.</summary>
    public byte[] Encode()
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Json.Options))
        {
            json.WriteStartObject();
            json.WriteNumber(SchemaVersionKey, 2);
            json.WriteString(MediaTypeKey, MediaType.Manifest);
            json.WriteString(ArtifactTypeKey, MediaType.Artifact);
            json.WritePropertyName("config");
            Write(json, Commit);
            json.WriteStartArray("layers");
            foreach (Generation generation in Generations)
            {
                Write(json, generation.Pack);
                Write(json, generation.Index);
                foreach (Descriptor bundle in generation.Bundles)
                {
                    Write(json, bundle);
                }
            }

            foreach (OfferedDelta delta in Deltas)
            {
                Write(json, delta.Descriptor, delta.From);
            }

            json.WriteEndArray();
            json.WriteStartObject(AnnotationsKey);
            json.WriteString(CreatedKey, TimeText(Created));
            if (Signatures.Count > 0)
            {
                json.WriteString(SignaturesKey, CommitSignatures.Text(Signatures));
            }

            if (Record is not null)
            {
                json.WriteString(RecordKey, Record.Encode());
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A commit's time as RFC 3339 writes it, whose years have four digits.</summary>
    internal static string TimeText(long seconds) =>
        DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(seconds, DateTimeOffset.MinValue.ToUnixTimeSeconds(), DateTimeOffset.MaxValue.ToUnixTimeSeconds()))
            .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Reads a manifest's bytes. Null, with the reason, for bytes that are no manifest of a commit.</summary>
    public static Manifest? TryDecode(ReadOnlyMemory<byte> bytes, out string error)
    {
        error = "it is no manifest of a commit";
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            JsonElement root = document.RootElement;
            if (!root.TryGetProperty(ArtifactTypeKey, out JsonElement type) || type.GetString() != MediaType.Artifact)
            {
                error = "it is something else than a commit of hacktree, such as a container image";
                return null;
            }

            Descriptor commit = Read(root.GetProperty("config"));
            JsonElement[] all = [.. root.GetProperty("layers").EnumerateArray()];
            Descriptor[] layers = [.. all.Select(Read)];
            int end = Array.FindIndex(layers, layer => layer.MediaType == MediaType.Delta);
            end = end < 0 ? layers.Length : end;
            return commit.MediaType == MediaType.Commit && Group(layers.AsSpan(0, end)) is { Count: > 0 } generations
                ? new Manifest(commit, generations, CreatedOf(root))
                {
                    Signatures = SignaturesOf(root),
                    Record = AnnotationOf(root, RecordKey) is { } record ? SignedRecord.TryParse(Encoding.UTF8.GetBytes(record)) : null,
                    Deltas = [.. all[end..].Select(ReadDelta)],
                }
                : null;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Writes a descriptor as a JSON object.</summary>
    internal static void Write(Utf8JsonWriter json, Descriptor descriptor, Digest from = default)
    {
        json.WriteStartObject();
        json.WriteString(MediaTypeKey, descriptor.MediaType);
        json.WriteString(DigestKey, descriptor.DigestText);
        json.WriteNumber("size", descriptor.Size);
        if (!from.IsNone)
        {
            json.WriteStartObject(AnnotationsKey);
            json.WriteString(FromKey, from.ToString());
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Reads a descriptor. Throws <see cref="FormatException"/> or another exception of JSON if it is none.</summary>
    internal static Descriptor Read(JsonElement json)
    {
        string text = json.GetProperty(DigestKey).GetString() ?? "";
        long size = json.GetProperty("size").GetInt64();
        return text.StartsWith(DigestPrefix, StringComparison.Ordinal) && Digest.TryParse(text.AsSpan(DigestPrefix.Length), out Digest digest) && size >= 0
            ? new Descriptor(json.GetProperty(MediaTypeKey).GetString() ?? "", digest, size)
            : throw new FormatException(text);
    }

    private static OfferedDelta ReadDelta(JsonElement json)
    {
        Descriptor descriptor = Read(json);
        return descriptor.MediaType == MediaType.Delta && Digest.TryParse(AnnotationOf(json, FromKey) ?? "", out Digest from)
            ? new OfferedDelta(descriptor, from)
            : throw new FormatException(descriptor.MediaType);
    }

    /// <summary>Cuts the layers into generations; null if they are not in order.</summary>
    private static List<Generation>? Group(ReadOnlySpan<Descriptor> layers)
    {
        var generations = new List<Generation>();
        while (!layers.IsEmpty)
        {
            if (layers.Length < 2 || layers[0].MediaType != MediaType.Pack || layers[1].MediaType != MediaType.Index)
            {
                return null;
            }

            int end = 2;
            while (end < layers.Length && layers[end].MediaType == MediaType.Bundle)
            {
                end++;
            }

            generations.Add(new Generation(layers[0], layers[1], layers[2..end].ToArray()));
            layers = layers[end..];
        }

        return generations;
    }

    private static long CreatedOf(JsonElement root) =>
        AnnotationOf(root, CreatedKey) is { } created ? DateTimeOffset.Parse(created, CultureInfo.InvariantCulture).ToUnixTimeSeconds() : 0;

    private static List<SshSignature> SignaturesOf(JsonElement root) =>
        AnnotationOf(root, SignaturesKey) is { Length: <= Store.Signatures.MaxLength } text ? SshArmor.Parse(Encoding.UTF8.GetBytes(text)) : [];

    private static string? AnnotationOf(JsonElement described, string key) =>
        described.TryGetProperty(AnnotationsKey, out JsonElement annotations) && annotations.TryGetProperty(key, out JsonElement value)
            ? value.GetString() ?? ""
            : null;
}

/// <summary>How JSON is written: compact, with names as they are.</summary>
internal static class Json
{
    internal static readonly JsonWriterOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
