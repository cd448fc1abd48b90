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

    private readonly Option<string> verity = new("--verity")
    {
        Description = "Give objects fs-verity: the kernel refuses writes to them, and fsck need not read them. "
            + "'auto' does without where the filesystem has none, 'require' refuses that.",
        HelpName = "auto|require|off",
        DefaultValueFactory = _ => "off",
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
        Details = "With --verity, fs-verity protects the content of objects, and so of the files of roots: also root cannot write into them, "
            + "only replace them. A first commit takes about twice as long. A kernel without fs-verity cannot read such files, so each kernel that boots "
            + "a root needs it.";
        AcceptOnly(times, "keep", "zero");
        AcceptOnly(machineXattrs, "ignore", "keep");
        AcceptOnly(verity, "auto", "require", "off");
        Add(place);
        Add(times);
        Add(machineXattrs);
        Add(verity);
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
            Verity = session.Get(verity) switch
            {
                "auto" => VerityUse.Auto,
                "require" => VerityUse.Required,
                _ => VerityUse.Off,
            },
        });
        NoteVerity(session, path);
        if (isUser && !session.Get(user))
        {
            session.Note("only root can restore owners and devices, so this is a user store (as with --user)");
        }

        if (!session.Get(json))
        {
            Session.Output.Write(ByteText.FromArgument(Path.GetFullPath(path)));
            Session.Output.Write("\n"u8);
            return ExitCode.Done;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteBytes("path", ByteText.FromArgument(Path.GetFullPath(path)));
            writer.WriteBoolean("user", isUser);
            writer.WriteString("mtime", session.Get(times));
            writer.WriteString("verity", session.Get(verity));
            writer.WriteEndObject();
        });
        return ExitCode.Done;
    }

    private void NoteVerity(Session session, string path)
    {
        if (session.Get(verity) == "auto")
        {
            using ObjectStore store = ObjectStore.Open(path);
            if (!store.CanHaveVerity())
            {
                session.Note("this filesystem has no fs-verity, so objects do without; ext4 has it after `tune2fs -O verity DISK`, if the kernel has it");
            }
        }
    }
}
