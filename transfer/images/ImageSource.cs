using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Opens a container image that a user named.</summary>
public static class ImageSource
{
    // An index may name another index. Nobody nests them deeper than this.
    private const int MostIndexes = 4;

    /// <summary>
    /// Opens an image. Throws <see cref="StoreException"/> if there is none, or none for the platform. Nothing of its layers is read yet.
    /// </summary>
    /// <param name="store">The store, which has unnamed files for what must be unpacked first.</param>
    /// <param name="text">Where it is: see <see cref="ImageName"/>.</param>
    /// <param name="wanted">What it must be for; null for this machine, if it is an index that has a choice.</param>
    /// <param name="options">How servers are spoken to.</param>
    /// <param name="openInput">Opens standard input, for the archive "-".</param>
    public static Image Open(ObjectStore store, string text, Platform? wanted, WebOptions options, Func<Stream> openInput)
    {
        ImageName name = ImageName.Parse(text);
        if (name.Archive is not { } archive)
        {
            return Close(name.Place!.Open(options, store.Stop), remote => InRemote(remote, name, wanted));
        }

        try
        {
            return Close(
                ArchiveFiles.Open(store, archive == "-" ? openInput() : new FileStream(OpenPath.File(archive), FileAccess.Read, bufferSize: 0)),
                files => ImageArchive.IsIn(files) ? ImageArchive.Open(files, name, wanted)
                    : LayoutArchive.IsIn(files) ? InRemote(new LayoutArchive(files, archive) { Stop = store.Stop }, name, wanted)
                    : throw new StoreException($"{archive}: it has neither a manifest.json nor an index.json, so it is no archive of a container image"));
        }
        catch (TarException e) when (e.Cause is null)
        {
            throw new StoreException($"{archive}: {e.Message}", e.Remedy);
        }
    }

    /// <summary>Requires that an image is for a platform, if one was asked for.</summary>
    internal static void RequireFor(ImageName name, ImageConfig config, Platform? wanted)
    {
        if (wanted is not null && !wanted.Takes(config.Platform))
        {
            throw new StoreException($"{name.Text}: the image is for {Shown(config.Platform.ToString())}, and not for {wanted}");
        }
    }

    /// <summary>What a place says of itself, for a message.</summary>
    private static string Shown(string text) => ByteText.Quote(ByteText.FromArgument(text));

    private static Image Close<T>(T place, Func<T, Image> open)
        where T : IDisposable
    {
        try
        {
            return open(place);
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    private static Image InRemote(Remote remote, ImageName name, Platform? wanted)
    {
        byte[] bytes = FindManifest(remote, name);
        ImageManifest manifest = Decode(bytes, name);
        bool hasChosen = false;
        for (int indexes = 0; manifest.Config is null; indexes++)
        {
            Descriptor chosen = manifest.Choose(wanted ?? Platform.Here) ?? throw NoneFor(manifest, name, wanted ?? Platform.Here);
            manifest = indexes < MostIndexes ? Decode(remote.ReadManifest(chosen), name) : throw new StoreException($"{name.Text}: its indexes do not end");
            hasChosen = true;
        }

        Descriptor described = manifest.Config;
        ImageConfig config = ImageConfig.TryDecode(remote.Read(described, ImageConfig.MaxLength))
            ?? throw remote.Wrong(described, "it is no configuration of a container image");
        RequireFor(name, config, hasChosen ? null : wanted);
        if (config.DiffIds.Count != manifest.Layers.Count)
        {
            throw remote.Wrong(described, $"the configuration has {config.DiffIds.Count} layers and the manifest {manifest.Layers.Count}");
        }

        ImageLayer[] layers = [.. manifest.Layers.Select(layer => new ImageLayer(layer.Size, layer.Digest, () => new BlobStream(remote, layer)))];
        return new Image(name.Text, described.Digest, config, layers, remote);
    }

    private static byte[] FindManifest(Remote remote, ImageName name)
    {
        if (!name.Digest.IsNone)
        {
            return remote.ReadManifest(new Descriptor(MediaType.Manifest, name.Digest, 0));
        }

        TagTarget target = (name.Tag is { } tag ? remote.Find(tag) : remote.FindUntagged()) ?? throw NoSuch(remote, name);
        return target.Manifest ?? remote.ReadManifest(target.Descriptor);
    }

    private static StoreException NoSuch(Remote remote, ImageName name)
    {
        if (name.Place is { Kind: RemoteKind.Registry })
        {
            return new StoreException($"{name.Text}: the registry has no tag '{name.Tag ?? Remote.DefaultTag}' there");
        }

        string tags = string.Join(", ", remote.Tags().Order(StringComparer.Ordinal).Take(10));
        string missing = name.Tag is null ? "it has more than one image, so name a tag" : $"it has no tag '{name.Tag}'";
        return new StoreException($"{name.Text}: {missing}{(tags.Length > 0 ? $"; its tags are {Shown(tags)}" : "; it has no tags")}");
    }

    private static ImageManifest Decode(byte[] bytes, ImageName name) =>
        ImageManifest.TryDecode(bytes, out string error) ?? throw new StoreException($"{name.Text}: {error}");

    private static StoreException NoneFor(ImageManifest manifest, ImageName name, Platform wanted)
    {
        string offered = string.Join(", ", manifest.Choices.Select(choice => choice.Platform?.ToString()).OfType<string>().Distinct().Take(20));
        return new StoreException($"{name.Text}: there is no image for {wanted}{(offered.Length > 0 ? $"; there are some for {Shown(offered)}" : "")}");
    }
}
