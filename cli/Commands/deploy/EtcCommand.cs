using System.CommandLine;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class EtcCommand : Verb
{
    internal EtcCommand()
        : base("etc", "Show what was changed in a root's /etc.", "hacktree etc status", "hacktree etc diff r1")
    {
        Add(new EtcStatusCommand());
        Add(new EtcDiffCommand());
    }

    /// <summary>The argument that names a root.</summary>
    internal static Argument<string?> Root()
    {
        var root = new Argument<string?>("ROOT") { Description = "The root's name or path. Default: the running root.", Arity = ArgumentArity.ZeroOrOne };
        Completions.WithRoots(root);
        return root;
    }

    /// <summary>The path of the root, and its record. Throws <see cref="StoreException"/> if there is none.</summary>
    internal static string PathOf(ObjectStore store, string? root, out RootRecord record)
    {
        record = root is null
            ? RunningRoot.RecordOf(store, "/") ?? throw new StoreException("this system runs on no root of the store; name a root")
            : store.Roots.Find(store.Roots.Require(root)) ?? throw new StoreException($"{root}: another process has just removed it");
        return store.Roots.AbsolutePath(record);
    }

    protected override int Run(Session session) => throw new UsageException("say what to do with /etc: status or diff; see `hacktree etc --help`");
}
