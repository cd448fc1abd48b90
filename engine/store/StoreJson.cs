using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace HackTree.Store;

/// <summary>Serializers made at compile time: the program is compiled ahead of time and has no reflection to make them.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    NewLine = "\n",
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StoreFormat))]
[JsonSerializable(typeof(RootRecord))]
[JsonSerializable(typeof(StatCacheManifest))]
internal sealed partial class StoreJson : JsonSerializerContext
{
    /// <summary>Writes names as they are: the script that boots a root reads its record, and knows no \u.</summary>
    internal static StoreJson Plain => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
