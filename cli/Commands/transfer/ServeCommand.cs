using System.CommandLine;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class ServeCommand : Verb
{
    private const string StandardStreams = "--stdio";

    private readonly Option<bool> stdio = new(StandardStreams) { Description = "Serve on standard input and output, until the input ends." };
    private readonly Option<bool> readOnly = new("--read-only") { Description = "Let the other end pull and not push." };

    private readonly Option<int?> patience;

    internal ServeCommand()
        : base("serve", "Serve the store to a hacktree that pulls or pushes by ssh.", "hacktree serve --stdio --read-only")
    {
        Add(stdio);
        Add(readOnly);
        patience = AddNumber("Give up the other end when it has said nothing for so many seconds. gc waits for who serves. Default: 600.", "--timeout");
        AddRule(result =>
        {
            if (!result.GetValue(stdio))
            {
                result.AddError($"serve needs {StandardStreams}: ssh is the only way there is");
            }
        });
        Details = "`hacktree pull ssh://HOST/objects:REF` starts this on HOST. As the command of a key in ~/.ssh/authorized_keys, it lets the key's owner do "
            + "nothing else there.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        using Stream input = Console.OpenStandardInput(), output = Console.OpenStandardOutput();
        using var silence = new Timer(_ => GiveUp());
        var limit = TimeSpan.FromSeconds(session.Get(patience) ?? 600);
        StoreHost.Run(
            store,
            input,
            output,
            session.Get(readOnly),
            isWaiting => silence.Change(isWaiting ? limit : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        return ExitCode.Done;
    }

    // A read of a pipe cannot be cancelled. A push that ends so is like one that was killed: what came is kept, and the ref is not set.
    private static void GiveUp()
    {
        Failure.Say("the other end has said nothing for too long; it can be run again");
        Environment.Exit(ExitCode.Failed);
    }
}
