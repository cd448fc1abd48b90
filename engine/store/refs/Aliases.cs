using System.Text;
using HackTree.Linux;
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

    private readonly ObjectStore store;
    private readonly LateRoom room;

    internal Aliases(ObjectStore store, SafeFileHandle top)
    {
        this.store = store;
        room = new LateRoom(store, top, Room);
    }

    /// <summary>The names, sorted. <paramref name="strangers"/> gets the names of files that are none of an alias.</summary>
    internal List<string> List(List<byte[]>? strangers = null)
    {
        var names = new List<string>();
        using SafeFileHandle? directory = room.TryOpen();
        if (directory is null)
        {
            return names;
        }

        var reader = new DirectoryReader();
        reader.Start(directory, room.Path);
        while (reader.Next())
        {
            string file = Encoding.Latin1.GetString(reader.Name);
            string name = file.EndsWith(Extension, StringComparison.Ordinal) ? file[..^Extension.Length].Replace('=', '/') : "";
            if (RefName.IsValid(name))
            {
                names.Add(name);
            }
            else
            {
                strangers?.Add(reader.Name.ToArray());
            }
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>
    /// The name that an alias has as its target; null if there is no such alias. Throws <see cref="CorruptException"/> if its file is damaged.
    /// </summary>
    internal string? TargetOf(string name)
    {
        using SafeFileHandle? directory = RefName.IsValid(name) ? room.TryOpen() : null;
        return directory is null || SmallFile.TryRead(directory, FileName(name), Subject(name)) is not { } bytes ? null
            : CheckedJson.Decode(bytes, properties => properties.GetText(TargetKey)) is { } target && RefName.IsValid(target) ? target
            : throw new CorruptException(Subject(name), "damaged", new Remedy.SetAlias());
    }

    /// <summary>Whether there is an alias of the name, readable or not.</summary>
    internal bool Has(string name)
    {
        using SafeFileHandle? directory = RefName.IsValid(name) ? room.TryOpen() : null;
        return directory is not null && Sys.Stat(directory, FileName(name), out _) == Errno.None;
    }

    /// <summary>Makes an alias or gives it another target, durably.</summary>
    internal void Set(string name, string target)
    {
        using SafeFileHandle directory = room.Make();
        DurableFile.WriteStaged(store.Temporary, directory, FileName(name), CheckedJson.Encode(json => json.WriteString(TargetKey, target)), Subject(name));
    }

    /// <summary>Removes an alias, durably.</summary>
    internal void Remove(string name)
    {
        using SafeFileHandle directory = room.Make();
        Sys.Unlink(directory, FileName(name)).ThrowIfFailed("unlinkat", Subject(name));
        Sys.Sync(directory).ThrowIfFailed("fsync", room.Path);
    }

    /// <summary>The path of an alias's file, below the store.</summary>
    internal static string PathOf(string name) => $"{Room}/{Encoding.ASCII.GetString(FileName(name))}";

    /// <summary>The path of an alias's file, for messages.</summary>
    internal string Subject(string name) => $"{store.Path}/{PathOf(name)}";

    private static byte[] FileName(string name) => Encoding.ASCII.GetBytes(name.Replace('/', '=') + Extension);
}
