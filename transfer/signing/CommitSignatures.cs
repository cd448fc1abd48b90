using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What a signature is worth.</summary>
public enum SignatureWorth
{
    /// <summary>A trusted key signed the commit.</summary>
    Good,
    /// <summary>The key signed the commit, and is not trusted, or not now.</summary>
    Untrusted,
    /// <summary>It is no signature of this commit, or one of a kind that is not known.</summary>
    Wrong,
}

/// <summary>A signature of a commit, and what it is worth.</summary>
/// <param name="Signature">The signature.</param>
/// <param name="Worth">What it is worth.</param>
/// <param name="Principals">Whose key it is; empty for a key that is not trusted.</param>
/// <param name="Fault">Why it is worth nothing; empty for a good one.</param>
public sealed record JudgedSignature(SshSignature Signature, SignatureWorth Worth, string Principals, string Fault);

/// <summary>The signatures of commits: making, keeping and judging them. What is signed is a commit's text, whose digest is the commit's.</summary>
public static class CommitSignatures
{
    /// <summary>The signatures that the store has of a commit.</summary>
    public static IReadOnlyList<SshSignature> Find(ObjectStore store, Digest commit) => SshArmor.Parse(store.Signatures.Read(commit));

    /// <summary>Those of them that their keys made of this commit. Whether anybody trusts the keys is not asked.</summary>
    public static IReadOnlyList<SshSignature> FindFitting(ObjectStore store, Digest digest, Commit commit)
    {
        IReadOnlyList<SshSignature> all = Find(store, digest);
        byte[] text = all.Count == 0 ? [] : commit.Encode();
        return [.. all.Where(signature => signature.Fits(text, SshSignature.OfCommits))];
    }

    /// <summary>
    /// Keeps signatures of a commit, before those that are there already. If all together are too long, the last ones are left out.
    /// </summary>
    public static void Add(ObjectStore store, Digest commit, IReadOnlyList<SshSignature> signatures)
    {
        if (signatures.Count > 0)
        {
            store.Signatures.Change(commit, before => Text([.. signatures, .. SshArmor.Parse(before)]));
        }
    }

    /// <summary>
    /// Signs a commit and keeps the signature, in the place of those that this key made before. Throws <see cref="StoreException"/> if the key does not
    /// sign.
    /// </summary>
    public static SshSignature Sign(ObjectStore store, Digest commit, SigningKey key)
    {
        SshSignature made = key.Sign(store.Packs.ReadCommit(commit).Encode(), SshSignature.OfCommits, store.Stop);
        store.Signatures.Change(commit, before => Text([made, .. SshArmor.Parse(before).Where(old => !old.Key.Equals(made.Key))]));
        return made;
    }

    /// <summary>Signatures as one text, each once, as long as it may be where commits are stored.</summary>
    internal static byte[] Text(IReadOnlyList<SshSignature> signatures) =>
        SshArmor.Write(signatures.Where((one, i) => !signatures.Take(i).Any(other => other.Blob.SequenceEqual(one.Blob))), Signatures.MaxLength);

    /// <summary>Judges each signature of a commit, which is given as its text, the good ones first.</summary>
    public static IReadOnlyList<JudgedSignature> Judge(byte[] text, IReadOnlyList<SshSignature> signatures, TrustedKeys keys)
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return [.. signatures.Select(signature => Judge(text, signature, keys, now)).OrderBy(judged => judged.Worth)];
    }

    /// <summary>
    /// Returns the good signatures of a commit. Throws <see cref="StoreException"/>, which says what is lacking, if there is none.
    /// </summary>
    /// <param name="subject">Where the commit is, for the message; empty for the store.</param>
    /// <param name="digest">The commit's digest.</param>
    /// <param name="text">The commit's text; may be empty if there are no signatures.</param>
    /// <param name="signatures">Its signatures.</param>
    /// <param name="keys">The trusted keys.</param>
    public static IReadOnlyList<SshSignature> Require(string subject, Digest digest, byte[] text, IReadOnlyList<SshSignature> signatures, TrustedKeys keys)
    {
        IReadOnlyList<JudgedSignature> judged = Judge(text, signatures, keys);
        return judged is [{ Worth: SignatureWorth.Good }, ..]
            ? [.. judged.Where(each => each.Worth == SignatureWorth.Good).Select(each => each.Signature)]
            : throw new StoreException($"{(subject.Length > 0 ? $"{subject}: " : "")}commit {digest.ToShortString()} {Lack(judged, keys)}");
    }

    private static string Lack(IReadOnlyList<JudgedSignature> judged, TrustedKeys keys) => judged switch
    {
        _ when keys.Count == 0 => $"cannot be trusted, because {keys.Source} has no keys",
        [] => "is not signed",
        [var only] => $"has no good signature: {only.Fault}",
        [var first, ..] => $"has no good signature among {judged.Count}; of the first: {first.Fault}",
    };

    private static JudgedSignature Judge(byte[] text, SshSignature signature, TrustedKeys keys, long now)
    {
        string name = $"{signature.Key.Type} {signature.Key.Fingerprint}";
        if (!signature.Fits(text, SshSignature.OfCommits))
        {
            return new JudgedSignature(signature, SignatureWorth.Wrong, "", $"the signature by {name} is none of this commit");
        }

        return keys.Find(signature.Key, SshSignature.OfCommits, now, out string? fault) is { } line
            ? new JudgedSignature(signature, SignatureWorth.Good, line.Principals, "")
            : new JudgedSignature(signature, SignatureWorth.Untrusted, "", fault ?? $"{keys.Source} does not have the key {name}");
    }
}
