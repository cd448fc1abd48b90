using System.CommandLine;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class InitCommand : Verb
{
    private readonly Argument<string?> place = new("DIR") { Description = "Where: a new or empty directory. Else what --store or $HACKTREE_STORE names, else ./objects.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string> times = new("--mtime") { Description = "Whether objects keep their modification times; with 'zero' more files share an inode.", HelpName = "keep|zero", DefaultValueFactory = _ => "keep" };
    private readonly Option<bool> user = new("--user") { Description = "A store that an ordinary user owns: commits record owners and devices, checkouts cannot restore them. The default for who is not root." };

    internal InitCommand()
        : base("init", "Make a store.", "hacktree init /objects", "hacktree init --user ~/trees/objects")
    {
        times.AcceptOnlyFromAmong("keep", "zero");
        Add(place);
        Add(times);
        Add(user);
    }

    protected override int Run(Session session)
    {
        string? given = session.Get(place);
        if (given is not null && session.IsStoreOption)
        {
            throw new UsageException("a place was given twice, as DIR and with --store; give it once");
        }

        string path = given ?? session.GivenStore() ?? "objects";
        bool isUser = session.Get(user) || !Sys.IsRoot;
        ObjectStore.Create(path, new StoreFormat { UserMode = isUser, KeepTimes = session.Get(times) == "keep" });
        if (isUser && !session.Get(user))
        {
            session.Note("only root can restore owners and devices, so this is a user store (as with --user)");
        }

        Session.Output.WriteLine(Path.GetFullPath(path));
        return ExitCode.Done;
    }
}
