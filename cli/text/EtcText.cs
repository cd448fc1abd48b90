using System.Text;
using System.Text.Json;
using HackTree.Boot;
using HackTree.Model;

namespace HackTree.Cli;

/// <summary>Says what was changed in /etc, and what a merge did with it.</summary>
internal static class EtcText
{
    /// <summary>One line of `etc status`.</summary>
    internal static string Line(EtcDifference difference) =>
        $"{"ADMT"[(int)difference.Kind]} {ByteText.Quote(difference.Path.Length == 0 ? "."u8 : difference.Path)}";

    /// <summary>One sentence.</summary>
    internal static string Of(EtcChange change)
    {
        string path = change.Path.Length == 0 ? "/etc" : $"/etc/{ByteText.Quote(change.Path)}", beside = $"/etc/{ByteText.Quote(change.Beside)}";
        return change.Kind switch
        {
            EtcChangeKind.Mine => $"{path}: kept as it was changed here",
            EtcChangeKind.Deleted => $"{path}: not there, as it was deleted here",
            EtcChangeKind.Conflict => $"{path}: kept as it was changed here; the commit changed it too, see {beside}",
            EtcChangeKind.DeletedButChanged => $"{path}: not there, as it was deleted here; the commit changed it, see {beside}",
            EtcChangeKind.ChangedButDropped => $"{path}: kept as it was changed here; the commit no longer has it",
            EtcChangeKind.DirectoryMetadata => $"{path}: mode, owner and attributes kept as they were changed here; the commit changed them too",
            EtcChangeKind.Merged => $"{path}: merged, as it was changed here and by the commit",
            EtcChangeKind.Account => $"{path}: {Account(change)} kept as it was changed here; the commit changed it too, see {beside}",
            EtcChangeKind.AccountNumber => $"{path}: {Account(change)} is new and has the number of another one; give one of them another number",
            _ => throw new ArgumentOutOfRangeException(nameof(change), change.Kind, "a change without a sentence"),
        };
    }

    /// <summary>What a deploy would do with /etc, in one sentence; null if there is no root to carry it over from.</summary>
    internal static string? Foreseen(CarriedEtc etc)
    {
        int beside = etc.Changes.Count(change => change.Beside is not null);
        string more = beside > 0 ? $"; for {HumanText.Count(beside, "file")} of them the commit's own would be put beside as NAME.hacktree-new" : "";
        return etc.From is { } from ? $"/etc: {HumanText.Count(etc.Changes.Count, "change")} of {from} would be carried over{more}" : null;
    }

    /// <summary>Writes "etcFrom" and "etc".</summary>
    internal static void Write(Utf8JsonWriter writer, CarriedEtc etc)
    {
        writer.WriteString("etcFrom", etc.From);
        writer.WriteStartArray("etc");
        foreach (EtcChange change in etc.Changes)
        {
            writer.WriteStartObject();
            writer.WriteString("change", NameOf(change.Kind));
            writer.WriteBytes("path", change.Path);
            if (change.Beside is { } beside)
            {
                writer.WriteBytes("beside", beside);
            }
            else
            {
                writer.WriteNull("beside");
            }

            writer.WriteString("account", change.Account);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>The name of a kind in JSON.</summary>
    private static string NameOf(EtcChangeKind kind) => kind switch
    {
        EtcChangeKind.Mine => "mine",
        EtcChangeKind.Deleted => "deleted",
        EtcChangeKind.Conflict => "conflict",
        EtcChangeKind.DeletedButChanged => "deletedButChanged",
        EtcChangeKind.ChangedButDropped => "changedButDropped",
        EtcChangeKind.DirectoryMetadata => "directoryMetadata",
        EtcChangeKind.Merged => "merged",
        EtcChangeKind.Account => "account",
        EtcChangeKind.AccountNumber => "accountNumber",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "a change without a name"),
    };

    private static string Account(EtcChange change) => $"account {ByteText.Quote(Encoding.Latin1.GetBytes(change.Account!))}";
}
