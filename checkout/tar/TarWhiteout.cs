using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// An entry of a layer that hides something of the layers below (OCI image specification, "Whiteouts"). What such an entry is otherwise, a file
/// mostly, says nothing.
/// </summary>
/// <param name="Directory">The directory, as names joined by slashes.</param>
/// <param name="Name">The name that is hidden in it; empty for none.</param>
/// <param name="IsOpaque">Whether all names of the layers below are hidden in it.</param>
/// <param name="Fault">Why there can be no such entry, as the end of a sentence; null if there can.</param>
internal sealed record TarWhiteout(byte[] Directory, byte[] Name, bool IsOpaque, string? Fault)
{
    /// <summary>What the whiteout of a name begins with.</summary>
    internal static ReadOnlySpan<byte> Prefix => ".wh."u8;

    /// <summary>What begins so is either the mark of an opaque directory or a note of the filesystem aufs, which says nothing of the tree.</summary>
    private static ReadOnlySpan<byte> OwnPrefix => ".wh..wh."u8;

    private static ReadOnlySpan<byte> Opaque => ".wh..wh..opq"u8;

    /// <summary>The whiteout that the entry of a path is; null if the entry is one of the tree. The names of the path are valid.</summary>
    internal static TarWhiteout? Of(ReadOnlySpan<byte> path)
    {
        // Nearly no path has this, and the search takes no memory.
        if (path.IndexOf(Prefix) < 0)
        {
            return null;
        }

        byte[] plain = TarPath.Plain(path);
        ReadOnlySpan<byte> rest = plain;
        while (TarPath.Next(ref rest, out ReadOnlySpan<byte> name))
        {
            bool isLast = rest.IsEmpty;
            byte[] directory = plain[..Math.Max(0, plain.Length - rest.Length - name.Length - 1)];
            if (name.StartsWith(OwnPrefix))
            {
                return new TarWhiteout(directory, [], isLast && name.SequenceEqual(Opaque), null);
            }

            if (name.StartsWith(Prefix))
            {
                byte[] hidden = name[Prefix.Length..].ToArray();
                return new TarWhiteout(directory, hidden, IsOpaque: false, !isLast ? "a whiteout in the middle of its path"
                    : !EntryName.IsValid(hidden) ? "a whiteout of something that is no name"
                    : null);
            }
        }

        return null;
    }
}
