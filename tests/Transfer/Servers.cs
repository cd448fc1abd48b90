using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>A server program that a test starts on this machine, and that ends with the test.</summary>
internal sealed class Server : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Process process;

    private Server(Process process, int port)
    {
        this.process = process;
        Port = port;
    }

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>A real registry: Debian's docker-registry, with blobs below the world's directory.</summary>
    /// <param name="world">The directory for its files.</param>
    /// <param name="more">More lines of its configuration's <c>http</c> part, and whole parts.</param>
    public static Server Registry(TransferWorld world, string more = "")
    {
        Tools.Require("docker-registry");
        int port = FreePort();
        string name = $"registry-{port}.yml";
        File.WriteAllText(world.At(name), $"""
            version: 0.1
            log: {"{"}level: error{"}"}
            storage:
              filesystem: {"{"}rootdirectory: {world.At("registry")}{"}"}
              delete: {"{"}enabled: true{"}"}
            http:
              addr: 127.0.0.1:{port}
            {more}
            """);
        return Start(port, "docker-registry", "serve", world.At(name));
    }

    /// <summary>A real web server: Debian's nginx, over the world's directory.</summary>
    /// <param name="world">The directory that it serves, and for its own files.</param>
    /// <param name="locations">Lines of its configuration's <c>server</c> part.</param>
    /// <param name="listen">Parameters of its <c>listen</c>, such as <c>ssl</c>.</param>
    public static Server Web(TransferWorld world, string locations = "", string listen = "")
    {
        Tools.Require("nginx");
        int port = FreePort();
        string at = world.At($"nginx-{port}");
        Directory.CreateDirectory(at);
        File.WriteAllText($"{at}/conf", $$"""
            daemon off; pid {{at}}/pid; error_log {{at}}/errors; worker_processes 1; user root;
            events { }
            http {
              access_log {{at}}/log; client_body_temp_path {{at}}/1; proxy_temp_path {{at}}/2;
              fastcgi_temp_path {{at}}/3; uwsgi_temp_path {{at}}/4; scgi_temp_path {{at}}/5;
              limit_req_zone $binary_remote_addr zone=few:1m rate=2r/s;
              server { listen 127.0.0.1:{{port}} {{listen}}; root {{world.Path}}; {{locations.Replace("$WORLD", world.Path, StringComparison.Ordinal)}} }
            }
            """);
        return Start(port, "nginx", "-e", $"{at}/errors", "-c", $"{at}/conf");
    }

    /// <summary>A real forward proxy: Debian's tinyproxy.</summary>
    /// <param name="world">The directory for its files.</param>
    /// <param name="more">More lines of its configuration.</param>
    public static Server Proxy(TransferWorld world, string more = "")
    {
        Tools.Require("tinyproxy");
        int port = FreePort();
        string at = world.At($"tinyproxy-{port}");
        Directory.CreateDirectory(at);
        File.WriteAllText($"{at}/conf", $"Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile \"{at}/log\"\nLogLevel Connect\nAllow 127.0.0.1\n{more}\n");
        return Start(port, "tinyproxy", "-d", "-c", $"{at}/conf");
    }

    /// <summary>A real sshd: OpenSSH's, which finds the program in its PATH. The world's runs get an ssh that knows its keys.</summary>
    /// <param name="world">The directory for its files.</param>
    /// <param name="options">Options of the one key that may log in, such as a command.</param>
    public static Server Ssh(TransferWorld world, string options = "")
    {
        Tools.Require("sshd");
        int port = FreePort();
        string at = world.At($"sshd-{port}");
        world.Shell($$"""
            set -e
            mkdir -p {{at}}/bin /run/sshd; ln -s $H {{at}}/bin/hacktree
            for key in host client; do ssh-keygen -q -t ed25519 -N '' -f {{at}}/$key; done
            echo "{{options}} $(cat {{at}}/client.pub)" > {{at}}/authorized
            cat > {{at}}/conf <<END
            Port {{port}}
            ListenAddress 127.0.0.1
            HostKey {{at}}/host
            AuthorizedKeysFile {{at}}/authorized
            PidFile none
            StrictModes no
            UsePAM no
            PermitRootLogin yes
            SetEnv PATH={{at}}/bin:/usr/bin:/bin
            END
            echo "[127.0.0.1]:{{port}} $(cat {{at}}/host.pub)" > {{at}}/known
            """).Succeeded();
        world.Variables.Add($"HACKTREE_SSH=ssh -F none -i {at}/client -o UserKnownHostsFile={at}/known -o StrictHostKeyChecking=yes");
        return Start(port, "sshd", "-D", "-e", "-f", $"{at}/conf");
    }

    /// <summary>
    /// A proxy for one port that ends each connection after so many bytes of the answer, the first <paramref name="times"/> times.
    /// </summary>
    public static CuttingProxy Cutting(int port, int bytes, int times) => new(port, bytes, times);

    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static Server Start(int port, string program, params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(Tools.Find(program)!, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var server = new Server(process, port);
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                client.Connect(IPAddress.Loopback, port);
                return server;
            }
            catch (SocketException) when (!process.HasExited && Stopwatch.GetElapsedTime(start) < Patience)
            {
                Thread.Sleep(20);
            }
        }
    }
}

/// <summary>Passes connections on to a port, and ends some of them early.</summary>
internal sealed class CuttingProxy : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly int target;
    private readonly int bytes;
    private int left;

    internal CuttingProxy(int target, int bytes, int times)
    {
        (this.target, this.bytes, left) = (target, bytes, times);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port { get; }

    /// <summary>How many connections were cut.</summary>
    public int Cuts { get; private set; }

    public void Dispose() => listener.Stop();

    private void Accept()
    {
        try
        {
            while (true)
            {
                TcpClient client = listener.AcceptTcpClient();
                new Thread(() => Pass(client)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private void Pass(TcpClient client)
    {
        try
        {
            using (client)
            using (var server = new TcpClient())
            {
                server.Connect(IPAddress.Loopback, target);
                var up = new Thread(() => Copy(client.GetStream(), server, int.MaxValue)) { IsBackground = true };
                up.Start();
                Copy(server.GetStream(), client, bytes);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // One side has gone.
        }
    }

    private void Copy(NetworkStream from, TcpClient to, int most)
    {
        try
        {
            byte[] buffer = new byte[4096];
            int passed = 0;
            for (int count = from.Read(buffer); count > 0; count = from.Read(buffer))
            {
                passed += count;
                if (passed > most && Interlocked.Decrement(ref left) >= 0)
                {
                    Cuts++;
                    to.LingerState = new LingerOption(true, 0);
                    to.Close();
                    return;
                }

                to.GetStream().Write(buffer, 0, count);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // One side has gone.
        }
    }
}
