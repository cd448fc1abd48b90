using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>A container image at its place: its configuration, and its layers, each of which can be opened.</summary>
public sealed class Image : IDisposable
{
    private readonly IDisposable place;

    internal Image(string subject, Digest configDigest, ImageConfig config, IReadOnlyList<ImageLayer> layers, IDisposable place)
    {
        (Subject, ConfigDigest, Config, Layers) = (subject, configDigest, config, layers);
        this.place = place;
    }

    /// <summary>The image's place, for messages.</summary>
    public string Subject { get; }

    /// <summary>The digest of its configuration, which says all of the image: podman and docker show it as the image's id.</summary>
    public Digest ConfigDigest { get; }

    /// <summary>The configuration.</summary>
    public ImageConfig Config { get; }

    /// <summary>The layers, as many as the configuration has.</summary>
    internal IReadOnlyList<ImageLayer> Layers { get; }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => place.Dispose();
}

/// <summary>A layer of an image.</summary>
/// <param name="Size">The layer's length in bytes, as it lies at its place.</param>
/// <param name="Digest">The SHA-256 of these bytes; none if nobody said it.</param>
/// <param name="Open">Opens them.</param>
internal sealed record ImageLayer(long Size, Digest Digest, Func<Stream> Open);
