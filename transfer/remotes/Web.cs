using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What the user says about how servers are spoken to.</summary>
public sealed record WebOptions
{
    /// <summary>Whether plain http is allowed to other machines too.</summary>
    public bool PlainHttp { get; init; }

    /// <summary>Headers of each request: "NAME: VALUE".</summary>
    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>A file with certificates (PEM) that sign servers' certificates, instead of those that the system trusts.</summary>
    public string? Authorities { get; init; }

    /// <summary>A file with this client's certificate (PEM).</summary>
    public string? Certificate { get; init; }

    /// <summary>The file with the key of <see cref="Certificate"/>; null if it is in the same file.</summary>
    public string? Key { get; init; }

    /// <summary>What a store knows of a remote: files of certificates.</summary>
    public static WebOptions Of(NamedRemote? remote) =>
        new() { Authorities = remote?.Authorities, Certificate = remote?.Certificate, Key = remote?.Key };

    /// <summary>Throws <see cref="StoreException"/> if a file of certificates cannot be read, or a key is not that of its certificate.</summary>
    public void RequireCertificates() => Web.MakeHandler(this).Dispose();

    /// <summary>The most bytes a second that are read, over all connections; 0 for no limit.</summary>
    public long BytesPerSecond { get; init; }
}

/// <summary>
/// Requests to one server. Tries again what may pass (a lost connection, 429, 500 and above), and answers a server's demand for a login. A
/// server that is silent for a minute counts as a lost connection. Thread-safe.
/// </summary>
internal sealed class Web : IDisposable
{
    private const int MostRedirects = 10;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly HttpClient client;
    private readonly WebOptions options;
    private readonly Login login;
    private readonly CancellationToken stop;
    private readonly Action onRequest;
    private readonly string authority;

    /// <summary>Prepares requests. <paramref name="onRequest"/> is called before each.</summary>
    internal Web(RemotePlace place, WebOptions options, Action onRequest, CancellationToken stop)
    {
        if (IsPlain(place, options) && !place.IsLoopback && !options.PlainHttp)
        {
            throw new StoreException($"{place}: everybody on the way could read and change what comes by plain http; say --plain-http if that is meant");
        }

        (this.options, this.onRequest, this.stop) = (options, onRequest, stop);
        authority = new Uri(BaseOf(place, options)).Authority;
        client = new HttpClient(MakeHandler(options)) { Timeout = Patience };
        login = new Login(place.Host, Ask);
    }

    /// <summary>
    /// The beginning of every URL. A registry on this machine is spoken to by plain http, as docker does it, unless certificates are given.
    /// </summary>
    internal static string BaseOf(RemotePlace place, WebOptions options) => $"{(IsPlain(place, options) ? "http" : "https")}://{place.Host}";

    /// <summary>
    /// Sends a request until it is answered. The answer is a success, or one of <paramref name="expected"/>. Throws <see cref="StoreException"/>
    /// for every other. The body is not read yet.
    /// </summary>
    internal HttpResponseMessage Send(Func<HttpRequestMessage> make, params ReadOnlySpan<HttpStatusCode> expected)
    {
        bool hasAskedLogin = false;
        HttpRequestMessage? last = null;
        var retry = new Retry(e => Failure(last!.RequestUri!, e), stop);
        while (true)
        {
            try
            {
                last = make();

                // A registry may name another server, for an upload or a page of a list. That server gets no password.
                last.Headers.Authorization = last.RequestUri?.Authority == authority ? login.Current : null;
                HttpResponseMessage answer = Ask(last);
                if (answer.IsSuccessStatusCode || expected.Contains(answer.StatusCode))
                {
                    return answer;
                }

                using (answer)
                {
                    if (answer.StatusCode == HttpStatusCode.ProxyAuthenticationRequired)
                    {
                        throw new StoreException($"{last.RequestUri}: {Route.LoginWords(last.RequestUri!)}");
                    }

                    if (answer.StatusCode == HttpStatusCode.Unauthorized && !hasAskedLogin && login.TryAnswer(answer))
                    {
                        hasAskedLogin = true;
                    }
                    else if (MayPass(answer.StatusCode))
                    {
                        retry.Failed(new HttpRequestException(Words(answer)), answer.Headers.RetryAfter?.Delta);
                    }
                    else
                    {
                        throw new StoreException($"{last.RequestUri}: {Words(answer)}{Route.Words(last.RequestUri!)}{login.Hint(answer)}");
                    }
                }
            }
            catch (Exception e) when (Retry.IsTransient(e))
            {
                retry.Failed(e);
            }
            catch (HttpRequestException e)
            {
                throw Failure(last!.RequestUri!, e);
            }
        }
    }

    /// <summary>Sends a request once.</summary>
    private HttpResponseMessage Ask(HttpRequestMessage request)
    {
        onRequest();
        foreach (string header in options.Headers)
        {
            int colon = header.IndexOf(':', StringComparison.Ordinal);
            request.Headers.TryAddWithoutValidation(header[..colon].Trim(), header[(colon + 1)..].Trim());
        }

        return client.Send(request, HttpCompletionOption.ResponseHeadersRead, stop);
    }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    private static bool IsPlain(RemotePlace place, WebOptions options) =>
        place.Kind == RemoteKind.Web ? place.IsPlain : options.PlainHttp || (place.IsLoopback && options.Authorities is null && options.Certificate is null);

    private static bool MayPass(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;

    private static string Words(HttpResponseMessage answer) => $"the server answers {(int)answer.StatusCode} {answer.ReasonPhrase}";

    private static StoreException Failure(Uri server, Exception e) => new($"{server}: {Route.Refusal(server, e) ?? $"{Reason(e)}{Route.Words(server)}"}");

    private static string Reason(Exception e) => e is TaskCanceledException ? "the server does not answer" : (e.InnerException ?? e).Message;

    internal static SocketsHttpHandler MakeHandler(WebOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            MaxAutomaticRedirections = MostRedirects,
            MaxConnectionsPerServer = 8,
            ConnectTimeout = Patience,
            ConnectCallback = (context, _) =>
            {
                // The client's own timeout ends with the headers. This one is for each read of a body.
                int patience = (int)Patience.TotalMilliseconds;
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = patience, SendTimeout = patience };
                try
                {
                    socket.Connect(context.DnsEndPoint);
                    return ValueTask.FromResult<Stream>(new NetworkStream(socket, ownsSocket: true));
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        if (options.Authorities is { } authorities)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(CertificateFiles.Read(authorities));
            handler.SslOptions.CertificateChainPolicy = policy;
        }

        if (options.Certificate is { } certificate)
        {
            // The file may have the certificates between this one and the authority too, which the server needs.
            X509Certificate2 own = CertificateFiles.ReadOwn(certificate, options.Key ?? certificate);
            handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(own, CertificateFiles.Read(certificate), offline: true);
        }

        return handler;
    }
}
