using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Makes the tree of a container image: its layers, laid over one another. A layer that was read for an earlier image, over the same layers below
/// it, is not fetched and not read again.
/// </summary>
/// <remarks>
/// What was read is remembered as commits: each layer's tree is one, the child of that of the layer below, with the layer's key as annotation. A ref of
/// their own for each image, image-layers/REF, holds the newest. So gc and fsck know of them, and deleting that ref forgets them.
/// </remarks>
public sealed class ImageImport
{
    /// <summary>What the names of the refs begin with that hold the layers.</summary>
    public const string Prefix = "image-layers/";

    private const string LayerKey = "oci.layer";
    private const string ConfigKey = "oci.image";
    private const int SubjectLength = 72;

    // gzip makes 1032 bytes of one at most. zstd makes more, of which no image has much.
    private const long MostOfOneByte = 1100;
    private const long AlwaysAllowed = 1024 * 1024 * 1024;

    private readonly Additions additions;
    private readonly Image image;
    private readonly ImportOptions options;
    private readonly string? refName;
    private readonly long time;
    private readonly string[] keys;
    private Digest newest;

    private ImageImport(Additions additions, Image image, ImportOptions options, string? refName, long time)
    {
        this.additions = additions;
        this.image = image;
        this.options = options;
        this.refName = refName is null ? null : Prefix + refName;
        this.time = time;
        if (this.refName is not null)
        {
            additions.Store.Refs.RequireFree(this.refName);
        }

        keys = KeysOf(image.Config.DiffIds, options);
    }

    /// <summary>The tree.</summary>
    public ImportResult Result { get; private set; } = null!;

    /// <summary>The number of layers that were remembered.</summary>
    public int Remembered { get; private set; }

    /// <summary>What the commit says of the image: its id, what it is for, and how a container is run.</summary>
    public ImmutableSortedDictionary<string, string> Annotations => image.Config.Annotations().SetItem(ConfigKey, $"sha256:{image.ConfigDigest}");

    /// <summary>
    /// Reads an image. Nothing is durable yet. Throws <see cref="StoreException"/> or <see cref="LinuxException"/> if a layer cannot be read, is
    /// another one than the image says, or has what no tree can have.
    /// </summary>
    /// <param name="additions">What the trees, and the commits of the layers, are added to.</param>
    /// <param name="image">The image.</param>
    /// <param name="options">What is left out.</param>
    /// <param name="refName">The ref that the image is for; null for none, and then the layers are not remembered.</param>
    /// <param name="time">The time of the layers' commits.</param>
    public static ImageImport Run(Additions additions, Image image, ImportOptions options, string? refName, long time)
    {
        var import = new ImageImport(additions, image, options, refName, time);
        LayeredTree tree = import.Begin();
        import.Result = tree.Build();
        for (int i = import.Remembered; i < image.Layers.Count; i++)
        {
            import.Add(tree, i);
        }

        return import;
    }

    /// <summary>Remembers the layers, once the trees and commits were published.</summary>
    public void Remember()
    {
        ObjectStore store = additions.Store;
        if (newest.IsNone || refName is null || store.Refs.Find(refName) == newest)
        {
            return;
        }

        DurableCommit durable = store.MakeDurable(newest);
        using RefTurn turn = RefTurn.Take(store);
        turn.Set(refName, durable, $"layers of the image {image.ConfigDigest.ToShortString()}");
    }

    /// <summary>The key of each layer: all that the tree up to it depends on.</summary>
    private static string[] KeysOf(IReadOnlyList<Digest> diffIds, ImportOptions options)
    {
        string left = string.Join('\0', options.Excludes.Concat(options.Emptied).Concat(options.XattrExcludes).Select(glob => glob.Text));
        string key = $"{options.Excludes.Count} {options.Emptied.Count} {options.LeavesOutAllXattrs} {options.ClampsTimes}\0{left}";
        string[] keys = new string[diffIds.Count];
        for (int i = 0; i < keys.Length; i++)
        {
            key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key}\0{diffIds[i]}")));
            keys[i] = key;
        }

        return keys;
    }

    /// <summary>Begins with the tree of the highest layer that is remembered.</summary>
    private LayeredTree Begin()
    {
        Dictionary<string, Digest> remembered = FindRemembered();
        for (int i = keys.Length; i > 0; i--)
        {
            if (remembered.TryGetValue(keys[i - 1], out newest))
            {
                Remembered = i;
                return new LayeredTree(additions, additions.Store.Packs.ReadCommit(newest).RootEntry());
            }
        }

        return new LayeredTree(additions);
    }

    private Dictionary<string, Digest> FindRemembered()
    {
        ObjectStore store = additions.Store;
        var found = new Dictionary<string, Digest>();
        foreach (Digest top in store.Refs.List().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Select(store.Refs.Find))
        {
            Digest next = top;
            while (!next.IsNone && store.Packs.TryReadCommit(next, out Commit? commit)
                && commit.Annotations.TryGetValue(LayerKey, out string? key) && found.TryAdd(key, next))
            {
                next = commit.Parents.IsEmpty ? default : commit.Parents[0];
            }
        }

        return found;
    }

    private void Add(LayeredTree tree, int number)
    {
        ImageLayer layer = image.Layers[number];
        string subject = $"{image.Subject}: layer {number + 1} of {image.Layers.Count}";
        try
        {
            using Stream source = layer.Open();
            using var packed = new MeasuredStream(source, layer.Size, $"it is longer than the {layer.Size} bytes that the image says");
            Digest unpacked = tree.AddLayer(packed, options, AlwaysAllowed + layer.Size * MostOfOneByte);
            Digest whole = packed.Finish(additions.Store.Stop);
            bool isOther = unpacked != image.Config.DiffIds[number];
            if ((!layer.Digest.IsNone && whole != layer.Digest) || isOther)
            {
                throw new StoreException($"{subject} is another one than the image says: its digest is sha256:{(isOther ? unpacked : whole)}");
            }
        }
        catch (TarException e)
        {
            throw e.Cause is { } cause
                ? new LinuxException(cause.Errno, cause.Call, $"{subject}: {cause.Subject}")
                : new StoreException($"{subject}: {e.Message}", e.Remedy);
        }

        Result = tree.Build();
        newest = additions.Pack.Add(Describe(number));
    }

    private Commit Describe(int number)
    {
        string step = image.Config.Steps[number].Trim();
        return Result.AsCommit(time) with
        {
            Parents = newest.IsNone ? [] : [newest],
            Subject = step.Length is > 0 and <= SubjectLength && Commit.IsLine(step) ? step : $"layer {number + 1} of an image",
            Annotations = Commit.NoAnnotations.Add(LayerKey, keys[number]),
        };
    }
}
