using System.CommandLine;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class CloneCommand : RemoteVerb
{
    private const string Origin = "origin";

    private readonly Argument<string> url = new("URL") { Description = "oci://HOST/NAME, https://HOST/PATH, ssh://HOST/STORE, file:///PATH or a path." };
    private readonly Argument<string> place = new("DIR") { Description = "A new or empty directory for the store." };
    private readonly Option<int?> depth;
    private readonly SignatureOptions signatures = new("Take only commits that a trusted key signed, now and when origin is pulled from.");

    internal CloneCommand()
        : base("clone", "Make a store with all refs of a remote, which it calls origin.", "hacktree clone https://example.com/debian /objects")
    {
        Add(url);
        Add(place);
        depth = AddNumber("How many generations of ancestors to fetch too. Default: 0.", "--depth");
        signatures.AddTo(this);
        AddServerOptions();
    }

    protected override int Run(Session session)
    {
        var remote = RemotePlace.Parse(session.Get(url));
        NamedRemote named = WithCertificates(session, new NamedRemote(remote.ToString(), signatures.IsRequired(session)));
        string path = session.Get(place);
        RequireNoClone(path, named);
        bool hasDirectory = PathStatus.Exists(path);
        ObjectStore.Create(path, new StoreFormat { UserMode = !Sys.IsRoot, IgnoresMachineXattrs = true });
        try
        {
            return Fill(session, path, named);
        }
        catch (Exception e)
        {
            // What was fetched is worth keeping.
            bool isGone = ObjectStore.TryRemoveUnused(path, keepsDirectory: hasDirectory);
            if (isGone && e is OperationCanceledException)
            {
                throw new StoppedException("nothing was fetched, and no store is left");
            }

            if (!isGone && e is (StoreException or LinuxException or IOException))
            {
                throw new StoreException(Failure.Sentence(e), Rest(path));
            }

            throw;
        }
    }

    private int Fill(Session session, string path, NamedRemote origin)
    {
        using ObjectStore store = ObjectStore.OpenToWrite(path, onWait: null, Session.Stop);
        store.Remotes.Add(Origin, origin);
        var run = new PullRun(session, store, source => OpenSource(session, store, source), signatures);
        return run.Run([Origin], new PullRequest("", "") { Depth = session.Get(depth) ?? 0 }, asJson: false);
    }

    /// <summary>Throws <see cref="StoreException"/> if there is a clone of that remote already, perhaps without some of its refs.</summary>
    private static void RequireNoClone(string path, NamedRemote remote)
    {
        if (!ObjectStore.IsCertainlyStore(path))
        {
            return;
        }

        using ObjectStore store = ObjectStore.Open(path, onWait: null, Session.Stop);
        if (store.Remotes.Find(Origin)?.Url == remote.Url)
        {
            throw new StoreException($"{path}: there is a clone of it already", Rest(path));
        }
    }

    private static Remedy.FetchRest Rest(string path) => new(path, Origin);

    protected override string Undone(Session session) =>
        $"{session.Get(place)} is a store without the rest of the refs; {RemedyText.Of(Rest(session.Get(place)))}";
}
