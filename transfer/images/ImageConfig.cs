using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>The configuration of a container image (OCI image specification, "Image Configuration"). An immutable value.</summary>
/// <param name="Platform">What the image is for.</param>
/// <param name="DiffIds">The SHA-256 of each layer before compression, the lowest layer first.</param>
/// <param name="Steps">The command that made each layer; empty where it is not known.</param>
/// <param name="Run">How a container of the image is run: the names and values of the object "config", each value as compact JSON.</param>
public sealed record ImageConfig(Platform Platform, IReadOnlyList<Digest> DiffIds, IReadOnlyList<string> Steps, IReadOnlyDictionary<string, string> Run)
{
    /// <summary>The longest configuration in bytes.</summary>
    public const int MaxLength = 4 * 1024 * 1024;

    /// <summary>What the annotations begin with that say how a container is run: "oci.config.Env".</summary>
    public const string RunPrefix = "oci.config.";

    /// <summary>The annotation that says what an image is for.</summary>
    public const string PlatformKey = "oci.platform";

    private const string DigestPrefix = "sha256:";

    /// <summary>Reads a configuration; null for bytes that are none.</summary>
    public static ImageConfig? TryDecode(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonElement root = document.RootElement;
            Digest[] layers = [.. root.GetProperty("rootfs").GetProperty("diff_ids").EnumerateArray().Select(id => DigestIn(id.GetString()))];
            var platform = new Platform(root.GetProperty("os").GetString() ?? "", root.GetProperty("architecture").GetString() ?? "", TextOf(root, "variant"));
            var run = new SortedDictionary<string, string>(StringComparer.Ordinal);
            if (root.TryGetProperty("config", out JsonElement config) && config.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty field in config.EnumerateObject().Where(field => field.Value.ValueKind != JsonValueKind.Null))
                {
                    run[field.Name] = Compact(field.Value);
                }
            }

            return new ImageConfig(platform, layers, StepsOf(root, layers.Length), run);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>What a commit of the image says of it: the platform, and how a container is run.</summary>
    public ImmutableSortedDictionary<string, string> Annotations()
    {
        var annotations = Commit.NoAnnotations.ToBuilder();
        annotations[PlatformKey] = Platform.ToString();
        foreach ((string name, string value) in Run)
        {
            // A name or a value that a commit cannot hold is none that a runtime knows.
            if (Commit.IsAnnotationKey(RunPrefix + name) && Commit.IsLine(value))
            {
                annotations[RunPrefix + name] = value;
            }
        }

        return annotations.ToImmutable();
    }

    /// <summary>A value as JSON of one line. The same value always makes the same text.</summary>
    internal static string Compact(JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Json.Options))
        {
            value.WriteTo(json);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>The commands of the history that made a layer. Empty texts if the history does not fit the layers.</summary>
    private static string[] StepsOf(JsonElement root, int layers)
    {
        string[] steps = root.TryGetProperty("history", out JsonElement history) && history.ValueKind == JsonValueKind.Array
            ? [.. history.EnumerateArray().Where(step => !IsEmpty(step)).Select(step => TextOf(step, "created_by"))]
            : [];
        return steps.Length == layers ? steps : [.. Enumerable.Repeat("", layers)];
    }

    private static bool IsEmpty(JsonElement step) => step.TryGetProperty("empty_layer", out JsonElement empty) && empty.ValueKind == JsonValueKind.True;

    private static string TextOf(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetString() ?? "" : "";

    private static Digest DigestIn(string? text) =>
        text is not null && text.StartsWith(DigestPrefix, StringComparison.Ordinal) && Digest.TryParse(text.AsSpan(DigestPrefix.Length), out Digest digest)
            ? digest
            : throw new FormatException(text);
}
