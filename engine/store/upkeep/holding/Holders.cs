using HackTree.Model;

namespace HackTree.Store;

/// <summary>A ref, a root or a mounted image, and the commit that it keeps.</summary>
/// <param name="Holder">The ref, root or image.</param>
/// <param name="Commit">The commit that it names.</param>
/// <param name="Generations">How many generations of ancestors it keeps too.</param>
internal readonly record struct Held(Holder Holder, Digest Commit, int Generations);

/// <summary>
/// Finds everything that keeps commits in the store: refs, roots, mounted images, and files that can be read as neither but name commits
/// (<see cref="Salvage"/>).
/// </summary>
/// <param name="store">The store.</param>
/// <param name="kept">How much of its history each ref keeps.</param>
/// <param name="withoutRoots">The names of records of roots that are taken for removed.</param>
internal sealed class Holders(ObjectStore store, KeptHistory kept, IReadOnlyCollection<string> withoutRoots)
{
    private List<Held> all = [];

    /// <summary>What is thought of the roots' records.</summary>
    internal RootSurvey Roots { get; } = new(store.Roots);

    /// <summary>All that were found: refs first, because only they keep ancestors.</summary>
    internal IReadOnlyList<Held> All => all;

    /// <summary>Looks at every ref and record. <paramref name="onObstacle"/> gets what cannot be read as either.</summary>
    internal void Look(Action<Exception> onObstacle)
    {
        all = [];
        Roots.Look();
        foreach ((string name, Digest commit) in store.Refs.All(name => KeepStranger(name, onObstacle)))
        {
            all.Add(new Held(Holder.OfRef(name), commit, kept.Generations(store.Packs, name, commit)));
        }

        foreach ((string name, Digest commit) in Roots.Held.Where(root => !withoutRoots.Contains(root.Name)))
        {
            all.Add(new Held(Holder.OfRoot(name), commit, 0));
        }

        foreach (StoredImage image in store.Images.Used())
        {
            all.Add(new Held(Holder.OfImage(image), image.Commit, 0));
        }

        foreach ((string name, CorruptException why) in Roots.Damaged)
        {
            onObstacle(why);
            KeepCommitsIn(store.Roots.ReadDamaged(name), Holder.OfRoot(name));
        }

        all = [.. all.OrderByDescending(held => held.Generations)];
    }

    /// <summary>The commits in packs that nobody can remove: a commit that can be read must have its objects.</summary>
    internal IEnumerable<(PackFile Pack, Held Held)> InFixedPacks()
    {
        foreach (PackFile pack in FixedPacks())
        {
            for (int i = 0; i < pack.Count; i++)
            {
                if (pack.Row(i).Kind == PackedKind.Commit)
                {
                    yield return (pack, new Held(Holder.OfPack(pack.Name), pack.Row(i).Digest, 0));
                }
            }
        }
    }

    /// <summary>The packs that nobody can remove.</summary>
    internal IEnumerable<PackFile> FixedPacks() => store.Packs.Files.Where(pack => store.Packs.IsFixed(pack.Name));

    /// <summary>
    /// A file in refs/ that can be no ref. Other programs leave files whose names begin with a dot (rsync, NFS), and nobody takes those for refs.
    /// </summary>
    private void KeepStranger(string name, Action<Exception> onObstacle)
    {
        if (!$"/{name}".Contains("/.", StringComparison.Ordinal))
        {
            string path = store.Refs.Subject(name);
            onObstacle(new CorruptException(path, "it is no ref", new Remedy.MoveAway(path)));
        }

        KeepCommitsIn(store.Refs.ReadStranger(name), Holder.OfRef(name));
    }

    private void KeepCommitsIn(byte[] file, Holder holder)
    {
        foreach (Digest commit in Salvage.CommitsIn(file, store.Packs))
        {
            all.Add(new Held(holder, commit, 0));
        }
    }
}
