using System.CommandLine;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class InitCommand : Verb
{
    private readonly Argument<string?> place = new("DIR")
    {
        Description = "A new or empty directory for the store. Default: --store or $HACKTREE_STORE, otherwise ./objects.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> times = new("--mtime")
    {
        Description = "Whether objects keep their modification times. With 'zero' more files share an inode.",
        HelpName = "keep|zero",
        DefaultValueFactory = _ => "keep",
    };

    private readonly Option<string> machineXattrs = new("--machine-xattrs")
    {
        Description = "Whether commits have the attributes that a machine gives its files by itself: "
            + "security.selinux, security.ima, security.evm and security.SMACK64.",
        HelpName = "ignore|keep",
        DefaultValueFactory = _ => "ignore",
    };

    private readonly Option<bool> user = new("--user")
    {
        Description = "Make a store for an ordinary user. Commits record owners and devices, but checkouts cannot restore them. "
            + "This is the default unless you are root.",
    };

    private readonly Option<bool> json;

    internal InitCommand()
        : base("init", "Make a store.", "hacktree init /objects", "hacktree init --user ~/trees/objects")
    {
        AcceptOnly(times, "keep", "zero");
        AcceptOnly(machineXattrs, "ignore", "keep");
        Add(place);
        Add(times);
        Add(machineXattrs);
        Add(user);
        json = AddJson();
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
        ObjectStore.Create(path, new StoreFormat
        {
            UserMode = isUser,
            KeepTimes = session.Get(times) == "keep",
            IgnoresMachineXattrs = session.Get(machineXattrs) == "ignore",
        });
        if (isUser && !session.Get(user))
        {
            session.Note("only root can restore owners and devices, so this is a user store (as with --user)");
        }

        if (!session.Get(json))
        {
            Session.Output.WriteLine(Path.GetFullPath(path));
            return ExitCode.Done;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteBytes("path", ByteText.FromArgument(Path.GetFullPath(path)));
            writer.WriteBoolean("user", isUser);
            writer.WriteString("mtime", session.Get(times));
            writer.WriteEndObject();
        });
        return ExitCode.Done;
    }
}
