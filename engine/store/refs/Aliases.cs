using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Names that mean what a ref means: one file for each, <c>aliases/NAME.json</c>, with '=' for each '/' of the name (FORMAT.md, section 8). The directory
/// is made with the first. <see cref="Refs"/> follows aliases, and a <see cref="RefTurn"/> changes them.
/// </summary>
internal sealed class Aliases
{
    internal const string Room = "aliases";

    private const string Extension = ".json";
    private const string TargetKey = "target";

    private readonly LateRoom room;

    internal Aliases(ObjectStore store, SafeFileHandle top) => room = new LateRoom(store, top, Room);

    /// <summary>The names, sorted. <paramref name="strangers"/> gets the names of files that are none of an alias.</summary>
    internal List<string> List(List<byte[]>? strangers = null)
    {
        List<string> names = room.List<string>(TryReadName, strangers);
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>
    /// The name that an alias has as its target; null if there is no such alias. Throws <see cref="CorruptException"/> if its file is damaged.
    /// </summary>
    internal string? TargetOf(string name) =>
        !RefName.IsValid(name) || room.TryRead(FileName(name)) is not { } bytes ? null
            : CheckedJson.Decode(bytes, properties => properties.GetText(TargetKey)) is { } target && RefName.IsValid(target) ? target
            : throw new CorruptException(Subject(name), "damaged", new Remedy.SetAlias());

    /// <summary>Whether there is an alias of the name, readable or not.</summary>
    internal bool Has(string name)
    {
        using SafeFileHandle? directory = RefName.IsValid(name) ? room.TryOpen() : null;
        return directory is not null && Sys.Stat(directory, ByteText.FromArgument(FileName(name)), out _) == Errno.None;
    }

    /// <summary>Makes an alias or gives it another target, durably.</summary>
    internal void Set(string name, string target) => room.Write(FileName(name), CheckedJson.Encode(json => json.WriteString(TargetKey, target)));

    /// <summary>Removes an alias, durably.</summary>
    internal void Remove(string name)
    {
        room.Remove(ByteText.FromArgument(FileName(name))).ThrowIfFailed("unlinkat", Subject(name));
        room.Sync();
    }

    /// <summary>The path of an alias's file, below the store.</summary>
    internal static string PathOf(string name) => $"{Room}/{FileName(name)}";

    /// <summary>The path of an alias's file, for messages.</summary>
    internal string Subject(string name) => room.Subject(FileName(name));

    private static string FileName(string name) => name.Replace('/', '=') + Extension;

    private static bool TryReadName(ReadOnlySpan<byte> file, out string name)
    {
        string text = Encoding.Latin1.GetString(file);
        name = text.EndsWith(Extension, StringComparison.Ordinal) ? text[..^Extension.Length].Replace('=', '/') : "";
        return RefName.IsValid(name);
    }
}
