using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace HackTree.Bench.Compare;

/// <summary>
/// Passes connections on to a port of this machine, and every byte a fixed time later, in both directions: a network of that delay and of no limit. It stands
/// for netem, which not every kernel has. A connection is made at once, so one trip fewer than on a network.
/// </summary>
internal sealed class DelayedConnections : IDisposable
{
    private const int MostWaiting = 256;

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly int target;
    private readonly TimeSpan delay;

    internal DelayedConnections(int target, TimeSpan delay)
    {
        (this.target, this.delay) = (target, delay);
        listener.Start();
        Start(Accept);
    }

    /// <summary>The port to connect to, on 127.0.0.1.</summary>
    internal int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public void Dispose() => listener.Dispose();

    private static void Start(Action run) => new Thread(() =>
    {
        try
        {
            run();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // One side has ended; the other one hears of it by its own connection.
        }
    })
    { IsBackground = true }.Start();

    private void Accept()
    {
        while (true)
        {
            TcpClient client = listener.AcceptTcpClient();
            var server = new TcpClient { NoDelay = true };
            client.NoDelay = true;
            server.Connect(IPAddress.Loopback, target);
            Pass(client, server);
            Pass(server, client);
        }
    }

    private void Pass(TcpClient from, TcpClient to)
    {
        var waiting = new BlockingCollection<(long Due, byte[] Bytes)>(MostWaiting);
        Start(() => Receive(from.GetStream(), waiting));
        Start(() => Send(waiting, to));
    }

    private void Receive(NetworkStream from, BlockingCollection<(long Due, byte[] Bytes)> waiting)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            for (int count; (count = from.Read(buffer)) > 0;)
            {
                waiting.Add((Stopwatch.GetTimestamp() + (long)(delay.TotalSeconds * Stopwatch.Frequency), buffer[..count]));
            }
        }
        finally
        {
            waiting.CompleteAdding();
        }
    }

    private static void Send(BlockingCollection<(long Due, byte[] Bytes)> waiting, TcpClient to)
    {
        foreach ((long due, byte[] bytes) in waiting.GetConsumingEnumerable())
        {
            TimeSpan left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
            if (left > TimeSpan.Zero)
            {
                Thread.Sleep(left);
            }

            to.GetStream().Write(bytes);
        }

        to.Client.Shutdown(SocketShutdown.Send);
    }
}
