using System.Text;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// GRUB's environment block, the file grubenv: 1,024 bytes, a first line, lines NAME=VALUE, and '#' up to the end
/// (https://www.gnu.org/software/grub/manual/grub/grub.html, "The GRUB environment block"). GRUB writes into the file's blocks and cannot make it
/// longer. Here it is replaced whole, so a crash leaves the old block or the new one.
/// </summary>
internal sealed class GrubEnvironment
{
    private const string Head = "# GRUB Environment Block\n";

    private readonly string path;
    private readonly List<(string Name, string Value)> variables = [];

    private GrubEnvironment(string path) => this.path = path;

    /// <summary>A block without variables, for a file that need not exist.</summary>
    internal static GrubEnvironment Empty(string path) => new(path);

    /// <summary>Reads the block. Throws <see cref="StoreException"/> if the file is no such block.</summary>
    internal static GrubEnvironment Read(string path)
    {
        string text = Encoding.Latin1.GetString(File.ReadAllBytes(path));
        if (text.Length != GrubMenu.EmptyEnvironment.Length || !text.StartsWith(Head, StringComparison.Ordinal))
        {
            throw new StoreException($"{path}: it is no environment block of GRUB; `grub-editenv {path} create` makes an empty one");
        }

        var environment = new GrubEnvironment(path);
        foreach (string line in text[Head.Length..].Split('\n'))
        {
            if (!line.StartsWith('#') && line.Split('=', 2) is [var name, var value])
            {
                environment.variables.Add((name, value));
            }
        }

        return environment;
    }

    /// <summary>The value of a variable; null if it is not set, or empty.</summary>
    internal string? Get(string name) => variables.Find(variable => variable.Name == name).Value is { Length: > 0 } value ? value : null;

    /// <summary>Sets a variable; null unsets it.</summary>
    internal void Set(string name, string? value)
    {
        _ = variables.RemoveAll(variable => variable.Name == name);
        if (value is not null)
        {
            variables.Add((name, value));
        }
    }

    /// <summary>Replaces the file, durably.</summary>
    internal void Write()
    {
        int length = GrubMenu.EmptyEnvironment.Length;
        string text = Head + string.Concat(variables.Select(variable => $"{variable.Name}={variable.Value}\n"));
        if (text.Length > length)
        {
            throw new StoreException($"{path}: its {length} bytes are full; `grub-editenv {path} list` shows with what");
        }

        using DurableFile file = OpenPath.ToReplace(path, FileModes.PublicFile);
        file.SetMode(FileModes.PublicFile);
        file.Append(Encoding.Latin1.GetBytes(text.PadRight(length, '#')));
        file.Complete();
    }
}
