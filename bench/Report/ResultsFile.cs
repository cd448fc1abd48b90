using System.Text.Encodings.Web;
using System.Text.Json;

namespace HackTree.Bench.Report;

/// <summary>results.json.</summary>
internal static class ResultsFile
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    internal static string Write<T>(T results) => JsonSerializer.Serialize(results, Options) + "\n";

    internal static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options) ?? throw new JsonException("the file holds null");
}
