using System.CommandLine;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class SignCommand : Verb
{
    internal const string KeyDescription = "The private key: an SSH key, or the public key of one that ssh-agent has.";

    private readonly Argument<string> revision;
    private readonly Option<string> key = new("--sign-key") { Description = KeyDescription, HelpName = "FILE", Required = true };
    private readonly Option<bool> json;

    internal SignCommand()
        : base("sign", "Sign a commit with an SSH key.", "hacktree sign debian/bookworm --sign-key ~/.ssh/id_ed25519")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(key);
        json = AddJson();
        Details = "The signature is kept beside the commit, and push sends it along. Keys with a passphrase, in ssh-agent or in a FIDO token sign by "
            + "ssh-keygen, which must be installed. `hacktree verify` tells who signed a commit.";
    }

    protected override int Run(Session session)
    {
        var signer = SigningKey.Open(session.Get(key)!);
        using ObjectStore store = session.OpenStoreToWrite();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        SshSignature made = CommitSignatures.Sign(store, commit, signer);
        session.Note($"{CommitText.Short(commit)} is signed by {SignatureText.Key(made)}");
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteDigest("commit", commit);
                SignatureText.WriteKey(writer, made);
                writer.WriteEndObject();
            });
        }

        return ExitCode.Done;
    }
}
