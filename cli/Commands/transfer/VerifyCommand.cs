using System.CommandLine;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class VerifyCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Option<string?> keys = SignatureOptions.KeysOption();
    private readonly Option<bool> json;

    internal VerifyCommand()
        : base(
            "verify",
            "Tell who signed a commit, and whether a trusted key did.",
            "hacktree verify debian/bookworm",
            "hacktree verify --keys release-keys debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(keys);
        json = AddJson();
        Details = $"Exit code 0 says that a trusted key signed the commit, 1 that none did. Trusted keys are in the files of {TrustedKeys.Folder} "
            + "whose names have only letters, digits, '_' and '-'. Each line is as ssh-keygen(1) says under ALLOWED SIGNERS: who it is, options, and the "
            + "public key, such as: release@example.com namespaces=\"hacktree\" ssh-ed25519 AAAA...";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        var trusted = TrustedKeys.Read(session.Get(keys));
        using ObjectStore store = session.OpenStore();
        Digest digest = Revision.Resolve(store, session.Get(revision));
        byte[] text = store.Packs.ReadCommit(digest).Encode();
        IReadOnlyList<SshSignature> signatures = CommitSignatures.Find(store, digest);
        IReadOnlyList<JudgedSignature> judged = CommitSignatures.Judge(text, signatures, trusted);
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteDigest("commit", digest);
                SignatureText.Write(writer, judged);
                writer.WriteEndObject();
            });
        }
        else
        {
            foreach (JudgedSignature each in judged.Where(each => each.Worth == SignatureWorth.Good))
            {
                Session.Output.WriteLine($"{CommitText.Line(each.Principals)}  {SignatureText.Key(each.Signature)}");
            }
        }

        // Who was told by JSON is told the same by the exit code; the sentence says why.
        _ = CommitSignatures.Require("", digest, text, signatures, trusted);
        return ExitCode.Done;
    }
}
