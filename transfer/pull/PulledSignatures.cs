using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Judges a remote's commit by its signatures, where a pull asks for that. All that is read of the remote before are its manifest and the commit's text, so
/// a server that cannot sign has no other way to this program. The commit's ancestors need no signature, because its text has their digests.
/// </summary>
internal static class PulledSignatures
{
    /// <summary>Whether a commit that the store has is signed well enough by what the store has.</summary>
    internal static bool SufficeHere(ObjectStore store, Digest commit, TrustedKeys? trusted)
    {
        if (trusted is null)
        {
            return true;
        }

        byte[] text = store.Packs.ReadCommit(commit).Encode();
        return CommitSignatures.Judge(text, CommitSignatures.Find(store, commit), trusted) is [{ Worth: SignatureWorth.Good }, ..];
    }

    /// <summary>
    /// The signatures of a commit that a source offers, to be kept, the good ones first. Throws <see cref="StoreException"/> if none is good and one must be.
    /// </summary>
    internal static IReadOnlyList<SshSignature> Check(ObjectStore store, string subject, OfferedCommit offered, TrustedKeys? trusted)
    {
        if (trusted is null)
        {
            return offered.Signatures;
        }

        Digest digest = offered.Digest;
        IReadOnlyList<SshSignature> all = [.. offered.Signatures, .. CommitSignatures.Find(store, digest)];
        byte[] text = all.Count == 0 ? []
            : store.Packs.TryReadCommit(digest, out Commit? own) ? own.Encode()
            : offered.ReadText();
        return [.. CommitSignatures.Require(subject, digest, text, all, trusted), .. all];
    }
}
