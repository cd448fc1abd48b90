using System.Text.Json;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>What a transfer took, in words and as JSON.</summary>
internal static class TransferText
{
    internal static string Totals(string verb, Remote remote) => $"{verb} {HumanText.Bytes(remote.Bytes)} in {Requests(remote.Requests)}";

    internal static string Requests(long count) => count == 1 ? "1 request" : $"{HumanText.Count(count)} requests";

    internal static void WriteTotals(Utf8JsonWriter writer, Remote remote)
    {
        writer.WriteString("remote", remote.Subject);
        writer.WriteNumber("bytes", remote.Bytes);
        writer.WriteNumber("requests", remote.Requests);
    }
}
