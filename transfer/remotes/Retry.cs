using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// How often something is tried again that fails for a reason that may pass: after 0.5, 1, 2, 4 and 8 seconds, a little more or less, so that many clients do
/// not come back at one time. What brings progress has all tries again.
/// </summary>
internal sealed class Retry(Func<Exception, StoreException> giveUp, CancellationToken stop)
{
    private const int Most = 5;
    private static readonly TimeSpan First = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestAsked = TimeSpan.FromMinutes(1);

    private int failures;

    /// <summary>Whether a failure is the network's, so that another try may succeed.</summary>
    internal static bool IsTransient(Exception e) =>
        e is IOException or TimeoutException or ObjectDisposedException or TaskCanceledException { InnerException: TimeoutException }
        || (e is HttpRequestException refused && !IsLasting(refused.HttpRequestError));

    private static bool IsLasting(HttpRequestError error) =>
        error is HttpRequestError.SecureConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.ProxyTunnelError;

    /// <summary>Something arrived: the failures before do not count any more.</summary>
    internal void Progressed() => failures = 0;

    /// <summary>Waits before the next try; throws if it was the last one.</summary>
    /// <param name="e">Why it failed.</param>
    /// <param name="asked">How long the server asks to wait.</param>
    internal void Failed(Exception e, TimeSpan? asked = null)
    {
        stop.ThrowIfCancellationRequested();
        if (++failures > Most)
        {
            throw giveUp(e);
        }

        TimeSpan wait = First * Math.Pow(2, failures - 1) * (0.8 + (0.4 * Random.Shared.NextDouble()));
        wait = asked is { } time && time > wait ? TimeSpan.FromTicks(Math.Min(time.Ticks, LongestAsked.Ticks)) : wait;
        if (stop.WaitHandle.WaitOne(wait))
        {
            stop.ThrowIfCancellationRequested();
        }
    }
}
