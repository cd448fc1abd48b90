using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// The packs that a store had when it was last looked at. Each commit makes one pack, and later ones or gc merge them. So if there are many, most
/// are small, and one dictionary finds the objects of all small packs instead of one search for each pack.
/// </summary>
internal sealed class PackSet
{
    private const int FewPacks = 16;
    private const int SmallPack = 64;

    private readonly Lazy<(Dictionary<Digest, (PackFile File, IndexRow Row)> Small, PackFile[] Others)> parts;

    internal PackSet(PackFile[] files)
    {
        Files = files;
        parts = new(Divide);
    }

    /// <summary>All packs.</summary>
    internal PackFile[] Files { get; }

    /// <summary>A small pack that has the object, with the object's row; null if none has it.</summary>
    internal (PackFile File, IndexRow Row)? FindSmall(Digest digest) =>
        parts.Value.Small.TryGetValue(digest, out (PackFile, IndexRow) found) ? found : null;

    /// <summary>The packs that <see cref="FindSmall"/> does not search: large packs, and packs that cannot be read.</summary>
    internal PackFile[] Others => parts.Value.Others;

    private (Dictionary<Digest, (PackFile File, IndexRow Row)> Small, PackFile[] Others) Divide()
    {
        var small = new Dictionary<Digest, (PackFile, IndexRow)>();
        if (Files.Length <= FewPacks)
        {
            return (small, Files);
        }

        var others = new List<PackFile>();
        foreach (PackFile file in Files)
        {
            if (!IsSmall(file))
            {
                others.Add(file);
                continue;
            }

            for (int i = 0; i < file.Count; i++)
            {
                IndexRow row = file.Row(i);
                small.TryAdd(row.Digest, (file, row));
            }
        }

        return (small, [.. others]);
    }

    private static bool IsSmall(PackFile file)
    {
        try
        {
            return file.Count <= SmallPack;
        }
        catch (Exception e) when (PackFile.IsUnreadable(e))
        {
            // The first look-up that finds nothing reports it.
            return false;
        }
    }
}
