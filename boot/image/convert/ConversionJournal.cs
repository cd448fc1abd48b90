using System.Text.Json;
using System.Text.Json.Serialization;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>How far a conversion has come.</summary>
internal enum ConversionState
{
    /// <summary>It was begun. How far it came follows from where the files are.</summary>
    Converting,
    /// <summary>It is complete.</summary>
    Done,
    /// <summary>It is being undone.</summary>
    Undoing,
}

/// <summary>
/// hacktree-convert.json at the top of a converted filesystem. It is written before anything else changes, and --undo removes it last. The
/// boot script reads "root" from it, because the files of that root belong to the root and not to the store.
/// </summary>
internal sealed record ConversionJournal
{
    internal const string FileName = "hacktree-convert.json";

    private const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    /// <summary>The name of the root that the system was turned into.</summary>
    public required string Root { get; init; }

    public required ConversionState State { get; init; }

    /// <summary>The file of GRUB that got the menu, below /boot/grub.</summary>
    public required string MenuFile { get; init; }

    /// <summary>Whether the conversion made that file.</summary>
    public required bool IsMenuFileNew { get; init; }

    /// <summary>Whether the conversion made the root's /sysroot.</summary>
    public required bool IsPhysicalRootNew { get; init; }

    /// <summary>
    /// Reads the journal at <paramref name="top"/>; null if there is none. Throws <see cref="StoreException"/> for an invalid one.
    /// </summary>
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
            // The error is reported below.
        }

        throw new StoreException(
            $"{image}: /{FileName} in it is damaged, or of a newer hacktree; go by what is in / and in the root, "
            + "and move back by hand with `hacktree image edit`");
    }

    /// <summary>Writes the journal durably.</summary>
    internal void Write(SafeFileHandle top, string subject) =>
        DurableFile.Write(
            top,
            System.Text.Encoding.ASCII.GetBytes(FileName),
            JsonSerializer.SerializeToUtf8Bytes(this, ConversionJson.Default.ConversionJournal),
            FileModes.PublicFile,
            subject);
}

/// <summary>
/// Encodes and decodes the journal, by code that is made at compile time. The journal is not checked JSON: it has no checksum.
/// </summary>
[JsonSourceGenerationOptions(WriteIndented = true, NewLine = "\n", PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ConversionJournal))]
internal sealed partial class ConversionJson : JsonSerializerContext;
