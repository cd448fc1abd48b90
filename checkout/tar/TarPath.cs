using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// The path of an archive's entry as names in a tree. Check it with <see cref="Fault"/>, then take names with
/// <see cref="Next"/>: they are then valid names (<see cref="EntryName"/>), and none at all means the tree itself.
/// </summary>
internal static class TarPath
{
    /// <summary>The longest path taken: Linux makes longer ones, but nobody does, and each name is a directory to be made.</summary>
    internal const int MaxLength = 64 * 1024;

    /// <summary>Says why a path cannot stand in a tree; null where it can.</summary>
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

    /// <summary>Takes the first name off, past "." and doubled slashes; false where none is left.</summary>
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
}
