using System.Globalization;
using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Owners and modes that a commit has in place of those on disk. Thread-safe.</summary>
public sealed class MetadataChanges
{
    private readonly Dictionary<byte[], Override> overrides = new(ByteComparer.Instance);

    /// <summary>The owner of everything; null for each its own.</summary>
    public uint? Owner { get; init; }

    /// <summary>The group of everything; null for each its own.</summary>
    public uint? Group { get; init; }

    /// <summary>The change of all modes but those of symbolic links; null for none.</summary>
    public ModeChange? Mode { get; init; }

    /// <summary>
    /// Adds the lines of a file of OSTree's form: "+BITS PATH" adds bits to a mode, "=BITS PATH" replaces the mode. The bits are decimal. Throws
    /// <see cref="StoreException"/> for other lines.
    /// </summary>
    public void AddOverrides(string file, string[] lines)
    {
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].TrimEnd('\r');
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            string[] parts = line.TrimStart('=', '+').Split(' ', 2);
            if (parts.Length != 2 || !parts[1].StartsWith('/') || !ushort.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ushort bits)
                || bits > FileMetadata.ModeMask || (parts[0].Length > 1 && parts[0][0] == '0'))
            {
                throw new StoreException($"{file}: line {i + 1} is not '+BITS /PATH' or '=BITS /PATH', with decimal bits: 2048 is set-user-id, 493 is 0755");
            }

            overrides[ByteText.FromArgument(parts[1][1..])] = new Override(bits, IsWhole: line[0] == '=');
        }
    }

    /// <summary>The metadata that an entry gets.</summary>
    /// <param name="path">Its path from the top of the tree, without a slash at the beginning; empty for the top.</param>
    /// <param name="metadata">What it has on disk.</param>
    /// <param name="kind">What it is.</param>
    internal FileMetadata Of(ReadOnlySpan<byte> path, FileMetadata metadata, EntryKind kind)
    {
        metadata = metadata with { Uid = Owner ?? metadata.Uid, Gid = Group ?? metadata.Gid };
        if (kind == EntryKind.Symlink)
        {
            return metadata;
        }

        ushort mode = Mode?.Of(metadata.Mode, kind == EntryKind.Directory) ?? metadata.Mode;
        if (overrides.Count > 0 && overrides.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(path, out Override? own))
        {
            own.IsUsed = true;
            mode = (ushort)(own.IsWhole ? own.Bits : mode | own.Bits);
        }

        return metadata with { Mode = mode };
    }

    /// <summary>Throws <see cref="StoreException"/> if a path of an override was not in the tree.</summary>
    public void RequireUsed()
    {
        if (overrides.FirstOrDefault(pair => !pair.Value.IsUsed) is { Value: not null } unused)
        {
            throw new StoreException($"/{Encoding.UTF8.GetString(unused.Key)}: the tree has no such file or directory, whose mode was to be changed");
        }
    }

    private sealed record Override(ushort Bits, bool IsWhole)
    {
        internal volatile bool IsUsed;
    }
}
