using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// Splits the path of an archive's entry into names in a tree. Check the path with <see cref="Fault"/>, then take its names with
/// <see cref="Next"/>: all of them are valid (<see cref="EntryName"/>). A path without names stands for the tree itself.
/// </summary>
internal static class TarPath
{
    /// <summary>The longest accepted path. Linux allows longer ones, but each name in a path is a directory that must be made.</summary>
    internal const int MaxLength = 64 * 1024;

    /// <summary>Says why a tree cannot hold a path; null if it can.</summary>
    internal static string? Fault(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty || path.Length > MaxLength)
        {
            return $"a path of {path.Length} bytes";
        }

        if (path[0] == '/')
        {
            return "an absolute path; make the archive with relative ones, as `tar -C DIR -c .` does";
        }

        while (Next(ref path, out ReadOnlySpan<byte> name))
        {
            if (!EntryName.IsValid(name))
            {
                return name switch
                {
                    _ when name.SequenceEqual(".."u8) => "its path leaves the tree with \"..\"",
                    _ when name.Length > EntryName.MaxLength => $"a name of {name.Length} bytes; no name is longer than {EntryName.MaxLength}",
                    _ => "a NUL in its path",
                };
            }
        }

        return null;
    }

    /// <summary>Takes the first name off, skipping "." and doubled slashes; false if none is left.</summary>
    internal static bool Next(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name)
    {
        do
        {
            rest = rest.TrimStart((byte)'/');
            int end = rest.IndexOf((byte)'/');
            name = end < 0 ? rest : rest[..end];
            rest = rest[name.Length..];
        }
        while (name.SequenceEqual("."u8));
        return !name.IsEmpty;
    }

    /// <summary>The path with its names joined by single slashes: "./usr//bin/" is "usr/bin".</summary>
    internal static byte[] Plain(ReadOnlySpan<byte> path)
    {
        var plain = new PathBuffer();
        while (Next(ref path, out ReadOnlySpan<byte> name))
        {
            plain.Push(name);
        }

        return plain.Bytes.ToArray();
    }
}
