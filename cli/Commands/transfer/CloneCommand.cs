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
        ObjectStore.Create(path, new StoreFormat { UserMode = !Sys.IsRoot, IgnoresMachineXattrs = true });
        using ObjectStore store = ObjectStore.OpenToWrite(path, onWait: null, Session.Stop);
        store.Remotes.Add(Origin, named);
        var run = new PullRun(session, store, source => OpenSource(session, store, source), signatures);
        return run.Run([Origin], new PullRequest("", "") { Depth = session.Get(depth) ?? 0 }, asJson: false);
    }

    protected override string Undone(Session session) =>
        $"{session.Get(place)} is a store without the rest of the refs; `hacktree --store {session.Get(place)} pull {Origin}` goes on";
}
