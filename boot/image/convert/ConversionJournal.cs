using System.Text.Json;
using System.Text.Json.Serialization;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>How far a conversion has come.</summary>
internal enum ConversionState
{
    /// <summary>Begun. What is where tells how far it came.</summary>
    Converting,
    /// <summary>Whole.</summary>
    Done,
    /// <summary>Being taken back.</summary>
    Undoing,
}

/// <summary>
/// hacktree-convert.json at the top of a filesystem that was converted: written before anything else changes, and removed last by --undo.
/// The boot script reads "root" from it too: the files of that root are its own, not the store's.
/// </summary>
internal sealed record ConversionJournal
{
    internal const string FileName = "hacktree-convert.json";

    private const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    /// <summary>The name of the root that the system became.</summary>
    public required string Root { get; init; }

    public required ConversionState State { get; init; }

    /// <summary>The file of GRUB's that got the menu, below /boot/grub.</summary>
    public required string MenuFile { get; init; }

    /// <summary>Whether that file was made for it.</summary>
    public required bool IsMenuFileNew { get; init; }

    /// <summary>Whether the root got a /sysroot that was not there before.</summary>
    public required bool IsPhysicalRootNew { get; init; }

    /// <summary>Reads the one at <paramref name="top"/>; null where there is none. Throws <see cref="StoreException"/> for one that makes no sense.</summary>
    internal static ConversionJournal? Read(string top, string image)
    {
        string path = Path.Combine(top, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            ConversionJournal? journal = JsonSerializer.Deserialize(File.ReadAllBytes(path), ConversionJson.Default.ConversionJournal);
            if (journal is { Version: CurrentVersion, MenuFile: InstalledGrub.CustomFile or InstalledGrub.MainFile } && ImageLayout.IsRootName(journal.Root))
            {
                return journal;
            }
        }
        catch (JsonException)
        {
            // Said below.
        }

        throw new StoreException($"{image}: /{FileName} in it is damaged, or of a newer hacktree; go by what is in / and in the root, and move back by hand with `hacktree image edit`");
    }

    /// <summary>Writes it durably.</summary>
    internal void Write(SafeFileHandle top, string subject) =>
        DurableFile.Write(
            top,
            System.Text.Encoding.ASCII.GetBytes(FileName),
            JsonSerializer.SerializeToUtf8Bytes(this, ConversionJson.Default.ConversionJournal),
            FileModes.PublicFile,
            subject);
}

/// <summary>Encodes and decodes the journal, by code that is made at compile time. The journal is no checked JSON: it has no sum.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, NewLine = "\n", PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ConversionJournal))]
internal sealed partial class ConversionJson : JsonSerializerContext;
