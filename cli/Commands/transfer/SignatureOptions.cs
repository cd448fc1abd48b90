using System.CommandLine;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>The options of commands that take signed commits only, if told so.</summary>
internal sealed class SignatureOptions(string description)
{
    private readonly Option<bool> require = new("--require-signature") { Description = description };
    private readonly Option<string?> keys = KeysOption();

    /// <summary>The option of all commands that ask for trusted keys.</summary>
    internal static Option<string?> KeysOption() =>
        new("--keys") { Description = $"A file with the trusted keys, instead of {TrustedKeys.Folder}.", HelpName = "FILE" };

    internal void AddTo(Command command)
    {
        command.Add(require);
        command.Add(keys);
    }

    internal bool IsRequired(Session session) => session.Get(require);

    /// <summary>The trusted keys.</summary>
    internal TrustedKeys Keys(Session session) => TrustedKeys.Read(session.Get(keys));

    /// <summary>Throws <see cref="StoreException"/> if signatures are required and the commit has none that is good.</summary>
    internal void Check(Session session, ObjectStore store, Digest commit)
    {
        if (IsRequired(session))
        {
            _ = CommitSignatures.Require("", commit, store.Packs.ReadCommit(commit).Encode(), CommitSignatures.Find(store, commit), Keys(session));
        }
    }
}
