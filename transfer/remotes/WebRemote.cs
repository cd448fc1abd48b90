using System.Net;
using System.Net.Http.Headers;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What remotes on servers share: reading a part of a blob by a range request (RFC 9110, section 14).</summary>
public abstract class WebRemote : Remote
{
    private readonly WebOptions options;
    private readonly RemotePlace place;

    // Set by the first answer to a range request that gave the whole blob. From then on whole blobs are asked for.
    private volatile bool givesWholeBlobs;

    private protected WebRemote(RemotePlace place, WebOptions options, CancellationToken stop)
    {
        (this.place, this.options, Stop) = (place, options, stop);
        Server = new Web(place, options, CountRequest, stop);
        Base = Web.BaseOf(place, options);
    }

    /// <inheritdoc/>
    public override string Subject => place.ToString();

    /// <summary>The server.</summary>
    private protected Web Server { get; }

    /// <summary>The beginning of every URL: scheme and host.</summary>
    protected string Base { get; }

    /// <inheritdoc/>
    protected internal override BlobPart OpenPart(Descriptor blob, long offset, long length)
    {
        bool isWhole = givesWholeBlobs || (offset == 0 && length == blob.Size);
        HttpResponseMessage answer = Server.Send(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, UrlOf(blob));
            request.Headers.Range = isWhole ? null : new RangeHeaderValue(offset, offset + length - 1);
            return request;
        });
        try
        {
            bool isPart = answer.StatusCode == HttpStatusCode.PartialContent;
            givesWholeBlobs |= !isWhole && !isPart;
            ContentRangeHeaderValue? range = answer.Content.Headers.ContentRange;
            if (isPart && (range is not { From: { } from } || from != offset))
            {
                throw new StoreException($"{UrlOf(blob)}: the server answers with another range than it was asked for");
            }

            // A body of another length than the blob's is noticed here, or when it ends early.
            if (!isPart && answer.Content.Headers.ContentLength is { } whole && whole != blob.Size)
            {
                throw Wrong(blob, $"the server has {whole} bytes instead of {blob.Size}");
            }

            Stream body = new AnswerStream(answer, Limit, Stop);
            return isPart ? new BlobPart(this, body, offset, offset + length) : new BlobPart(this, body, 0, blob.Size);
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        Server.Dispose();
        base.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The URL of a blob.</summary>
    protected abstract string UrlOf(Descriptor blob);

    private RateLimit? Limit => field ??= options.BytesPerSecond > 0 ? new RateLimit(options.BytesPerSecond) : null;
}
