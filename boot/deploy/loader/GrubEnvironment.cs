using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// GRUB's environment block, the file grubenv: 1,024 bytes, a first line, lines NAME=VALUE, and '#' up to the end
/// (https://www.gnu.org/software/grub/manual/grub/grub.html, "The GRUB environment block"). GRUB writes into the file's blocks and cannot make it
/// longer.
/// </summary>
/// <remarks>
/// GRUB replays no journal. After a power cut it may see a directory as it was before a rename, and a replaced file's blocks with another file's
/// content in them. So a change is written in place where it fits in one sector, which a disk writes whole or not at all. No directory and no inode
/// changes then that GRUB would need. A change of both sectors replaces the file.
/// </remarks>
internal sealed class GrubEnvironment
{
    private const string Head = "# GRUB Environment Block\n";
    private const int Sector = 512;

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

    /// <summary>Writes the block, durably. A crash leaves the old block or the new one.</summary>
    internal void Write()
    {
        int length = GrubMenu.EmptyEnvironment.Length;
        string text = Head + string.Concat(variables.Select(variable => $"{variable.Name}={variable.Value}\n"));
        if (text.Length > length)
        {
            throw new StoreException($"{path}: its {length} bytes are full; `grub-editenv {path} list` shows with what");
        }

        byte[] block = Encoding.Latin1.GetBytes(text.PadRight(length, '#'));
        if (!TryOverwrite(block))
        {
            OpenPath.Replace(path, block, FileModes.PublicFile);
        }
    }

    /// <summary>Writes the one sector that changes. False if both change, or if the file is not there or has other names.</summary>
    private bool TryOverwrite(byte[] block)
    {
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadWrite, out SafeFileHandle file);
        using (file)
        {
            if (errno == Errno.ENOENT)
            {
                return false;
            }

            errno.ThrowIfFailed("openat", path);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
            byte[] old = new byte[block.Length];
            Sys.ReadAt(file, old, 0, out int count).ThrowIfFailed("pread", path);
            int[] changed = [.. Enumerable.Range(0, block.Length / Sector).Where(number => !Part(old, number).SequenceEqual(Part(block, number)))];
            if (count != block.Length || status.Size != block.Length || status.LinkCount > 1 || changed.Length > 1)
            {
                return false;
            }

            foreach (int number in changed)
            {
                Sys.WriteAt(file, Part(block, number), (long)number * Sector).ThrowIfFailed("pwrite", path);
            }

            Sys.Sync(file).ThrowIfFailed("fsync", path);
            return true;
        }
    }

    private static Span<byte> Part(byte[] block, int number) => block.AsSpan(number * Sector, Sector);
}
