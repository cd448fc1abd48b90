using System.Text.Json;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Transfer;

/// <summary>
/// A directory with a store that has commits, and places for others. The tree is large enough for several bundles and has every kind of entry, and a
/// blob with two metadata.
/// </summary>
internal sealed class TransferWorld : IDisposable
{
    private const string MoreTree = """
        set -e
        mkdir -p tree/usr/lib tree/srv
        python3 - <<'END'
        import random
        r = random.Random(7)
        for i in range(300):
            open(f'tree/usr/lib/file{i}', 'wb').write(r.randbytes(r.randrange(1, 9000)))
        open('tree/srv/large', 'wb').write(r.randbytes(9_000_000))
        open('tree/srv/middle', 'wb').write(r.randbytes(700_000))
        open('tree/srv/middle2', 'wb').write(r.randbytes(700_000))
        open('tree/srv/sparse', 'wb').truncate(3_000_000)
        END
        cp tree/srv/large tree/srv/large-private; chmod 600 tree/srv/large-private
        cp tree/usr/lib/file1 tree/usr/lib/file1-private; chmod 600 tree/usr/lib/file1-private
        find tree -exec touch -h -d '2024-05-06 07:08:09Z' {} +
        # An hour old, so that the next one is newer, however quick the machine is.
        $H commit -q -b debian/test --timestamp @$(($(date +%s) - 3600)) tree > first
        """;

    private const string MakeAll = """
        set -e
        request() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $1.key -subj /CN=$1 "${@:2}"; }
        sign() { openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }
        for name in ca other; do request $name -x509 -days 2 -out $name.pem; done
        echo subjectAltName=IP:127.0.0.1 > server.ext; echo basicConstraints=CA:TRUE > between.ext; echo extendedKeyUsage=clientAuth > client.ext
        for name in server between client; do request $name -out $name.csr; done
        sign server ca; sign between ca; sign client between
        cat client.pem between.pem > chain.pem
        """;

    private readonly CliWorld world = new();

    public TransferWorld()
    {
        Shell(MoreTree).Succeeded();
        First = File.ReadAllText(At("first")).Trim();
    }

    /// <summary>The first commit of the ref debian/test.</summary>
    public string First { get; }

    public string Path => world.Path;

    /// <summary>Variables that every run gets: "NAME=VALUE".</summary>
    public List<string> Variables => world.Variables;

    /// <summary>Lines of nginx's configuration for a server with the certificate of <see cref="MakeCertificates"/>.</summary>
    public static string Tls => "ssl_certificate $WORLD/server.pem; ssl_certificate_key $WORLD/server.key;";

    /// <summary>
    /// Makes <c>ca.pem</c>, an authority; <c>server.pem</c>, which it signed; <c>chain.pem</c>, a client's certificate and the one between it and the
    /// authority; <c>client.pem</c>, the former alone; <c>other.pem</c>, a stranger's. Each has its key beside it.
    /// </summary>
    public void MakeCertificates()
    {
        Tools.Require("openssl");
        Shell(MakeAll).Succeeded();
    }

    public string At(string name) => world.At(name);

    public ToolResult Run(params IEnumerable<string> arguments) => world.Run(arguments);

    public ToolResult Shell(string script) => world.Shell(script);

    /// <summary>Commits a tree in which few files are others. Returns the commit.</summary>
    public string CommitUpdate(int number = 1) => Shell($"""
        set -e
        for i in 3 50 299; do echo 'update {number}' >> tree/usr/lib/file$i; done
        echo new > tree/usr/lib/new{number}; rm -f tree/usr/lib/file7{number}
        find tree -exec touch -h -d '2024-05-06 07:08:09Z' {"{}"} +
        $H commit -q -b debian/test tree
        """).Succeeded().Trim();

    /// <summary>Commits an update as <see cref="CommitUpdate"/> does, and signs it.</summary>
    public string CommitUpdateSigned(string key)
    {
        string commit = CommitUpdate();
        Run("sign", "-q", "debian/test", "--sign-key", key).Succeeded();
        return commit;
    }

    /// <summary>Makes another store.</summary>
    public void Init(string store) => Run([.. CliWorld.Init, store, "-q"]).Succeeded();

    /// <summary>Runs the program on another store.</summary>
    public ToolResult On(string store, params IEnumerable<string> arguments) => Run(["--store", store, .. arguments]);

    /// <summary>Pulls into another store, and returns the first line of what --json prints.</summary>
    public JsonElement Pull(string store, params IEnumerable<string> arguments) =>
        JsonDocument.Parse(On(store, ["pull", "--json", .. arguments]).Succeeded()).RootElement[0];

    /// <summary>The names of another store's refs.</summary>
    public string[] Refs(string store) =>
        [.. JsonDocument.Parse(On(store, "refs", "--json").Succeeded()).RootElement.EnumerateArray().Select(each => each.GetProperty("name").GetString()!)];

    /// <summary>How many commits the history of another store's debian/test has.</summary>
    public int Commits(string store) => JsonDocument.Parse(On(store, "log", "--json", "debian/test").Succeeded()).RootElement.GetArrayLength();

    /// <summary>Checks which commit another store's debian/test is.</summary>
    public void AssertRef(string store, string commit) =>
        Assert.Equal(commit, JsonDocument.Parse(On(store, "show", "--json", "debian/test").Succeeded()).RootElement.GetProperty("commit").GetString());

    /// <summary>Checks that another store is whole, and that its debian/test is a commit, which is this store's debian/test.</summary>
    public void AssertWhole(string store, string commit)
    {
        On(store, "fsck").Succeeded();
        AssertRef(store, commit);
        Assert.Equal(
            Shell("$H export debian/test --tar - | sha256sum").Succeeded(),
            Shell($"$H --store {store} export debian/test --tar - | sha256sum").Succeeded());
    }

    /// <summary>Fails the command with one sentence that matches, and an exit code.</summary>
    public static void AssertRefused(ToolResult result, string pattern, int code = 1)
    {
        Assert.Equal(code, result.ExitCode);
        Assert.Matches($"^hacktree: .*{pattern}.*\n$", result.Error);
        Assert.Equal("", result.Output);
    }

    public void Dispose() => world.Dispose();
}
