using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace HackTree.Bench.Compare;

/// <summary>nginx over a directory, behind a network with a delay. It counts what it is asked for.</summary>
internal sealed class WebServer : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string folder;
    private readonly Process process;
    private readonly DelayedConnections network;
    private long read;

    private WebServer(string folder, Process process, int port, TimeSpan delay)
    {
        (this.folder, this.process) = (folder, process);
        network = new DelayedConnections(port, delay);
    }

    /// <summary>The address of the directory.</summary>
    internal string Url => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{network.Port}");

    private string Log => Path.Combine(folder, "log");

    /// <summary>Starts it. Throws <see cref="BenchException"/> if it does not begin to serve.</summary>
    /// <param name="place">The directory to serve.</param>
    /// <param name="folder">A directory for its own files, which is made.</param>
    /// <param name="delay">What every byte takes in each direction.</param>
    internal static WebServer Start(string place, string folder, TimeSpan delay)
    {
        _ = Directory.CreateDirectory(folder);
        int port = FreePort();
        File.WriteAllText(Path.Combine(folder, "conf"), $$"""
            daemon off; pid {{folder}}/pid; error_log {{folder}}/errors; worker_processes 1; user root;
            events { }
            http {
              log_format bytes '$bytes_sent'; access_log {{folder}}/log bytes; client_body_temp_path {{folder}}/1; proxy_temp_path {{folder}}/2;
              fastcgi_temp_path {{folder}}/3; uwsgi_temp_path {{folder}}/4; scgi_temp_path {{folder}}/5; keepalive_requests 100000;
              server { listen 127.0.0.1:{{port}}; root {{place}}; sendfile on; }
            }
            """);
        var start = new ProcessStartInfo("nginx", ["-e", Path.Combine(folder, "errors"), "-c", Path.Combine(folder, "conf")]) { RedirectStandardError = true };
        Process process = Process.Start(start)!;
        for (long begun = Stopwatch.GetTimestamp(); !Answers(port); Thread.Sleep(20))
        {
            if (process.HasExited || Stopwatch.GetElapsedTime(begun) > Patience)
            {
                process.Kill(entireProcessTree: true);
                throw new BenchException($"nginx does not serve: {Shell.LastLines(process.StandardError.ReadToEnd())}");
            }
        }

        return new WebServer(folder, process, port, delay);
    }

    /// <summary>The requests since the last call, and the bytes of their answers with headers.</summary>
    internal (long Requests, long Bytes) Count()
    {
        // nginx writes a line when it has handed the answer to the kernel, which may be after the client has read it.
        Thread.Sleep(100);
        string[] lines = File.Exists(Log) ? File.ReadAllLines(Log) : [];
        long before = read;
        read = lines.Length;
        return (lines.Length - before, lines.Skip((int)before).Sum(line => long.Parse(line, CultureInfo.InvariantCulture)));
    }

    public void Dispose()
    {
        network.Dispose();
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool Answers(int port)
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
