using System.Collections.Concurrent;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A ref that was mirrored.</summary>
/// <param name="Ref">The ref.</param>
/// <param name="Commit">The commit.</param>
/// <param name="IsNew">Whether the other remote had another manifest for it, or none.</param>
public sealed record MirroredRef(string Ref, Digest Commit, bool IsNew);

/// <summary>
/// Copies commits from one remote to another as they are: packs, bundles, deltas, signatures and records. No store is needed. Each blob is compared with its
/// digest before it is sent, and tags are set last.
/// </summary>
public sealed class Mirror(Remote from, Remote to)
{
    private readonly ConcurrentDictionary<Digest, bool> there = [];
    private int blobs;

    /// <summary>Whether refs are set that are newer there.</summary>
    public bool Force { get; init; }

    /// <summary>The number of blobs that were sent so far.</summary>
    public int Blobs => blobs;

    /// <summary>Mirrors every ref and every commit that has a tag. What is no commit, such as a container image, is passed over.</summary>
    public IReadOnlyList<MirroredRef> RunAll()
    {
        var done = new List<MirroredRef>();
        foreach (string tag in from.Tags().OrderBy(tag => TagName.RefOf(tag) is not null).ThenBy(tag => tag, StringComparer.Ordinal))
        {
            TagTarget target = Find(tag);
            byte[] bytes = BytesOf(target);
            if (Manifest.TryDecode(bytes, out _) is not { } manifest)
            {
                continue;
            }

            bool isNew = Send(target, bytes, manifest, [tag]);
            if (TagName.RefOf(tag) is { } name)
            {
                done.Add(new MirroredRef(name, manifest.Commit.Digest, isNew));
            }
        }

        return done;
    }

    /// <summary>
    /// Mirrors one ref. Throws <see cref="StoreException"/> if the first remote has no such ref, or the second one has a newer commit for it.
    /// </summary>
    public MirroredRef Run(string refName)
    {
        string tag = TagName.OfRef(refName);
        TagTarget target = Find(tag);
        byte[] bytes = BytesOf(target);
        Manifest manifest = from.Decode(tag, target);
        bool isNew = Send(target, bytes, manifest, [TagName.OfCommit(manifest.Commit.Digest), tag]);
        return new MirroredRef(refName, manifest.Commit.Digest, isNew);
    }

    private TagTarget Find(string tag) =>
        from.Find(tag)
        ?? throw new StoreException(TagName.RefOf(tag) is { } name ? $"{from.Subject} has no ref '{name}'" : $"{from.Subject}: the tag {tag} is gone");

    private byte[] BytesOf(TagTarget target) => target.Manifest ?? from.ReadManifest(target.Descriptor);

    /// <summary>Whether the last of the tags named another manifest there, or none.</summary>
    private bool Send(TagTarget target, byte[] bytes, Manifest manifest, IReadOnlyList<string> tags)
    {
        TagTarget? before = to.Find(tags[^1]);
        bool isNew = before?.Descriptor.Digest != target.Descriptor.Digest;
        if (!isNew && !to.SendsAll)
        {
            return false;
        }

        RequireNewer(tags[^1], before, manifest);

        Descriptor[] parts =
        [
            manifest.Commit,
            .. manifest.Generations.SelectMany(generation => (IEnumerable<Descriptor>)[generation.Pack, generation.Index, .. generation.Bundles]),
            .. manifest.Deltas.Select(delta => delta.Descriptor),
        ];
        _ = ParallelMap.RunLong([.. parts.Where(part => there.TryAdd(part.Digest, true))], Send, from.Stop);
        to.SetTags(bytes, manifest.Commit.Digest, tags);
        return isNew;
    }

    // A copy that is older than what is there would take machines back, and those that want signed records would stop.
    private void RequireNewer(string tag, TagTarget? before, Manifest manifest)
    {
        if (Force || before is null || TagName.RefOf(tag) is not { } name)
        {
            return;
        }

        Manifest old = to.Decode(tag, before);
        if (old.Created > manifest.Created || (old.Record?.Record.Serial ?? 0) > (manifest.Record?.Record.Serial ?? 0))
        {
            throw new StoreException($"{to.Subject}: {name} is newer there than at {from.Subject}; --force sets it back");
        }
    }

    private bool Send(Descriptor blob)
    {
        if (!to.SendsAll && to.Has(blob))
        {
            return false;
        }

        using FileStream file = ScratchFile.OpenOutside();
        from.Copy(blob, file);
        file.Position = 0;
        to.Send(blob, file);
        _ = Interlocked.Increment(ref blobs);
        return true;
    }
}
