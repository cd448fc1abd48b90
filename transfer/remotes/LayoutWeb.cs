using System.Net;
using System.Net.Http.Headers;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A remote that is an OCI image layout on a web server. It can only be read.</summary>
public sealed class LayoutWeb(RemotePlace place, WebOptions options, CancellationToken stop) : WebRemote(place, options, stop)
{
    private readonly RemotePlace place = place;

    /// <inheritdoc/>
    public override TagTarget? Find(string tag) => ReadIndex().Find(tag);

    /// <inheritdoc/>
    public override TagTarget? FindUntagged() => ReadIndex().FindUntagged();

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags() => ReadIndex().Tags();

    /// <inheritdoc/>
    public override bool Has(Descriptor blob) => throw ReadOnly();

    /// <inheritdoc/>
    public override void Send(Descriptor blob, Stream content) => throw ReadOnly();

    /// <inheritdoc/>
    public override void SetTags(byte[] manifest, Digest commit, IReadOnlyList<string> tags) => throw ReadOnly();

    /// <inheritdoc/>
    protected override string UrlOf(Descriptor blob) => Url(Layout.PathOf(blob.Digest));

    private Layout ReadIndex()
    {
        // A cache on the way must ask the server: the index is the one file of a layout that changes.
        using HttpResponseMessage answer = Server.Send(
            () => new HttpRequestMessage(HttpMethod.Get, Url(Layout.IndexName)) { Headers = { CacheControl = new CacheControlHeaderValue { NoCache = true } } },
            HttpStatusCode.NotFound);
        return answer.StatusCode == HttpStatusCode.NotFound ? throw new StoreException($"{Url(Layout.IndexName)}: not found; an OCI image layout has this file")
            : BoundedBody.TryRead(answer, Layout.MaxLength) is { } bytes && Layout.TryDecode(bytes) is { } index ? index
            : throw new StoreException($"{Url(Layout.IndexName)}: it is no index of an OCI image layout");
    }

    private string Url(string name) => $"{Base}/{(place.Path.Length > 0 ? place.Path + "/" : "")}{name}";

    private StoreException ReadOnly() => new($"{Subject} can only be read; push to the directory behind it, or to a registry");
}
