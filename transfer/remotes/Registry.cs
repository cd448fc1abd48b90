using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A remote that is a repository in a registry (OCI distribution specification 1.1).</summary>
public sealed class Registry(RemotePlace place, WebOptions options, CancellationToken stop) : WebRemote(place, options, stop)
{
    private const int MaxTagList = 16 * 1024 * 1024;
    private const int MostPages = 10_000;

    private readonly string name = place.Path;

    /// <inheritdoc/>
    public override TagTarget? Find(string tag)
    {
        using HttpResponseMessage answer = Server.Send(
            () =>
            {
                var request = new HttpRequestMessage(HttpMethod.Get, Url($"manifests/{tag}"));
                foreach (string type in ImageType.Asked)
                {
                    request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(type));
                }

                return request;
            },
            HttpStatusCode.NotFound);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        byte[] bytes = BoundedBody.TryRead(answer, Manifest.MaxLength)
            ?? throw new StoreException($"{Subject}: the manifest of the tag {tag} is longer than {Manifest.MaxLength} bytes");
        CountBytes(bytes.Length);
        return new TagTarget(default, bytes, Descriptor.Of(MediaType.Manifest, bytes));
    }

    /// <inheritdoc/>
    public override byte[] ReadManifest(Descriptor manifest)
    {
        // A registry has manifests in a place of their own, and a digest finds one as a tag does.
        TagTarget found = Find(manifest.DigestText) ?? throw Wrong(manifest, "the registry has no such manifest");
        return found.Descriptor.Digest == manifest.Digest ? found.Manifest! : throw Wrong(manifest, "what it holds has another digest");
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags()
    {
        var tags = new List<string>();
        string? next = Url("tags/list?n=1000");
        for (int page = 0; next is not null; page++)
        {
            string url = page < MostPages ? next : throw new StoreException($"{Subject}: the list of tags does not end");
            using HttpResponseMessage answer = Server.Send(() => new HttpRequestMessage(HttpMethod.Get, url), HttpStatusCode.NotFound);
            if (answer.StatusCode == HttpStatusCode.NotFound)
            {
                throw new StoreException($"{Subject}: the registry has no such repository");
            }

            tags.AddRange(TagsIn(BoundedBody.TryRead(answer, MaxTagList)) ?? throw new StoreException($"{url}: it is no list of tags"));
            next = NextPage(answer);
        }

        return tags;
    }

    /// <inheritdoc/>
    public override bool Has(Descriptor blob)
    {
        using HttpResponseMessage answer = Server.Send(() => new HttpRequestMessage(HttpMethod.Head, UrlOf(blob)), HttpStatusCode.NotFound);
        return answer.IsSuccessStatusCode;
    }

    /// <inheritdoc/>
    public override void Send(Descriptor blob, Stream content)
    {
        // An upload that was cut off has part of the bytes, so each try begins another one.
        Server.Send(() =>
        {
            string url = $"{BeginUpload()}digest={Uri.EscapeDataString(blob.DigestText)}";
            var request = new HttpRequestMessage(HttpMethod.Put, url) { Content = new WebContent(this, content, blob.Size) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            return request;
        }).Dispose();
    }

    /// <inheritdoc/>
    public override void SetTags(byte[] manifest, Digest commit, IReadOnlyList<string> tags)
    {
        foreach (string tag in tags)
        {
            Server.Send(() =>
            {
                var request = new HttpRequestMessage(HttpMethod.Put, Url($"manifests/{tag}")) { Content = new ByteArrayContent(manifest) };
                request.Content.Headers.ContentType = new MediaTypeHeaderValue(MediaType.Manifest);
                return request;
            }).Dispose();
            CountBytes(manifest.Length);
        }
    }

    /// <inheritdoc/>
    protected override string UrlOf(Descriptor blob) => Url($"blobs/{blob.DigestText}");

    /// <summary>Begins an upload. Returns the URL to send the blob to, up to the parameter that says which blob it is.</summary>
    private string BeginUpload()
    {
        using HttpResponseMessage begun = Server.Send(() => new HttpRequestMessage(HttpMethod.Post, Url("blobs/uploads/")));
        Uri place = begun.Headers.Location ?? throw new StoreException($"{Subject}: the registry does not say where to send a blob to");
        Uri target = new(new Uri(Url("blobs/uploads/")), place);
        return $"{target}{(target.Query.Length > 0 ? '&' : '?')}";
    }

    private static string[]? TagsIn(byte[]? body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body ?? []);
            JsonElement tags = document.RootElement.GetProperty("tags");

            // A repository whose tags were all deleted answers null.
            return tags.ValueKind == JsonValueKind.Null ? [] : [.. tags.EnumerateArray().Select(tag => tag.GetString() ?? "")];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The URL of the next page of a list, which a Link header names (RFC 8288); null at the end.</summary>
    private string? NextPage(HttpResponseMessage answer)
    {
        string? link = answer.Headers.TryGetValues("Link", out IEnumerable<string>? links)
            ? links.FirstOrDefault(each => each.Contains("rel=\"next\"", StringComparison.Ordinal))
            : null;
        int end = link?.IndexOf('>', StringComparison.Ordinal) ?? -1;
        return end > 1 ? new Uri(new Uri(Base), link![1..end]).ToString() : null;
    }

    private string Url(string what) => $"{Base}/v2/{name}/{what}";
}
