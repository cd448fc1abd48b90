using System.Text.Json;

namespace HackTree.Tests.Transfer;

/// <summary>Many machines at one server.</summary>
public sealed class ManyClientsTests : IDisposable
{
    private const int Clients = 20;

    private readonly TransferWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void Twenty_that_pull_at_once_from_one_server_all_get_everything()
    {
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        using Server web = Server.Web(world);
        string[] stores = [.. Enumerable.Range(1, Clients).Select(number => $"other{number}")];
        Array.ForEach(stores, world.Init);
        PullAll(stores, web, world.First);

        // Half of them have the first commit, and the others begin anew.
        string second = world.CommitUpdate();
        world.Run("push", "debian/test", world.At("layout")).Succeeded();
        foreach (string store in stores[..(Clients / 2)])
        {
            world.Shell($"rm -r {store}").Succeeded();
            world.Init(store);
        }

        PullAll(stores, web, second);
    }

    private void PullAll(string[] stores, Server web, string commit)
    {
        string log = world.At($"nginx-{web.Port}/log");
        long before = File.ReadLines(log).LongCount();
        world.Shell($"""
            for store in {string.Join(' ', stores)}; do
                $H --store $store pull --json http://127.0.0.1:{web.Port}/layout:debian/test > $store.json & jobs="$jobs $!"
            done
            for job in $jobs; do wait $job || exit 1; done
            """).Succeeded();
        JsonElement[] pulled = [.. stores.Select(store => JsonDocument.Parse(File.ReadAllText(world.At($"{store}.json"))).RootElement[0])];
        Assert.All(pulled, each => Assert.Equal(commit, each.GetProperty("commit").GetString()));
        Assert.All(stores, store => world.On(store, "fsck").Succeeded());
        world.AssertWhole(stores[0], commit);
        world.AssertWhole(stores[^1], commit);

        // Each asked for what it says, and nothing was tried again.
        Assert.Equal(pulled.Sum(each => each.GetProperty("requests").GetInt64()), File.ReadLines(log).LongCount() - before);
        Assert.All(File.ReadLines(log), line => Assert.Matches("\" 20[06] [0-9]+ \"", line));
    }
}
