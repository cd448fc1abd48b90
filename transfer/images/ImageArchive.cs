using System.Security.Cryptography;
using System.Text.Json;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// An archive of `docker save`: its manifest.json names, for each image, the file of its configuration, its tags, and the files of its layers. Such
/// layers have no digest but the one in the configuration.
/// </summary>
internal static class ImageArchive
{
    private const string ManifestName = "manifest.json";
    private const int MaxManifest = 4 * 1024 * 1024;

    private sealed record Entry(string Config, string[] Tags, string[] Layers);

    /// <summary>Whether an archive is one of `docker save`.</summary>
    internal static bool IsIn(ArchiveFiles files) => files.LengthOf(ManifestName) >= 0;

    internal static Image Open(ArchiveFiles files, ImageName name, Platform? wanted)
    {
        Entry entry = Choose(EntriesIn(Read(files, name, ManifestName, MaxManifest)) ?? throw Wrong(name, $"its {ManifestName} names no images"), name);
        byte[] bytes = Read(files, name, entry.Config, ImageConfig.MaxLength);
        ImageConfig config = ImageConfig.TryDecode(bytes) ?? throw Wrong(name, "the configuration of the image is none");
        ImageSource.RequireFor(name, config, wanted);
        if (config.DiffIds.Count != entry.Layers.Length)
        {
            throw Wrong(name, $"the configuration has {config.DiffIds.Count} layers and {ManifestName} {entry.Layers.Length}");
        }

        ImageLayer[] layers = [.. entry.Layers.Select(path =>
        {
            long length = files.LengthOf(path);
            return length >= 0 ? new ImageLayer(length, default, () => files.Open(path, 0, length)) : throw Wrong(name, $"it lacks the layer {Shown(path)}");
        })];
        return new Image(name.Text, new Digest(SHA256.HashData(bytes)), config, layers, files);
    }

    private static Entry Choose(Entry[] entries, ImageName name)
    {
        if (name.Tag is null && entries.Length == 1)
        {
            return entries[0];
        }

        string suffix = $":{name.Tag ?? Remote.DefaultTag}";
        Entry[] fitting = [.. entries.Where(entry => entry.Tags.Any(tag => tag.EndsWith(suffix, StringComparison.Ordinal)))];
        string tags = string.Join(", ", entries.SelectMany(entry => entry.Tags).Take(10));
        return fitting.Length == 1 ? fitting[0]
            : throw Wrong(
                name,
                $"{(fitting.Length == 0 ? "no image" : "more than one image")} in it has the tag {suffix[1..]}; "
                + $"it has {(tags.Length > 0 ? Shown(tags) : "no tags")}");
    }

    private static Entry[]? EntriesIn(byte[] bytes)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            return [.. document.RootElement.EnumerateArray().Select(each => new Entry(
                each.GetProperty("Config").GetString() ?? "",
                each.TryGetProperty("RepoTags", out JsonElement tags) && tags.ValueKind == JsonValueKind.Array ? TextsIn(tags) : [],
                TextsIn(each.GetProperty("Layers"))))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static string[] TextsIn(JsonElement array) => [.. array.EnumerateArray().Select(text => text.GetString() ?? "")];

    private static byte[] Read(ArchiveFiles files, ImageName name, string path, int maxLength)
    {
        long length = files.LengthOf(path);
        if (length < 0 || length > maxLength)
        {
            throw Wrong(name, length < 0 ? $"it lacks the file {Shown(path)}" : $"its file {Shown(path)} is longer than {maxLength} bytes");
        }

        byte[] bytes = new byte[length];
        using Stream file = files.Open(path, 0, length);
        file.ReadExactly(bytes);
        return bytes;
    }

    private static string Shown(string text) => ByteText.Quote(ByteText.FromArgument(text));

    private static StoreException Wrong(ImageName name, string fault) => new($"{name.Text}: {fault}");
}
