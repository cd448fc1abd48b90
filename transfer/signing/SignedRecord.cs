using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A ref's record with signatures of it: its text, and the signatures behind it.</summary>
/// <param name="Record">The record.</param>
/// <param name="Signatures">The signatures. Nobody checked them.</param>
public sealed record SignedRecord(RefRecord Record, IReadOnlyList<SshSignature> Signatures)
{
    /// <summary>Both as one text, in which the record is whole and signatures are as many as fit.</summary>
    public byte[] Encode()
    {
        byte[] text = Record.Encode();
        return [.. text, .. SshArmor.Write(Signatures, RefRecords.MaxLength - text.Length)];
    }

    /// <summary>Reads such a text; null for anything else.</summary>
    public static SignedRecord? TryParse(ReadOnlySpan<byte> text) =>
        text.Length <= RefRecords.MaxLength && RefRecord.TryParse(text, out int length) is { } record
            ? new SignedRecord(record, SshArmor.Parse(text[length..]))
            : null;

    /// <summary>The record that the store has of a ref; null if it has none.</summary>
    public static SignedRecord? Find(ObjectStore store, string refName) => TryParse(store.RefRecords.Read(refName));

    /// <summary>Makes and signs the record that follows on another one.</summary>
    internal static SignedRecord Make(RefRecord record, SigningKey key, CancellationToken stop) =>
        new(record, [key.Sign(record.Encode(), SshSignature.OfCommits, stop)]);

    /// <summary>
    /// Throws <see cref="StoreException"/> unless a trusted key signed the record, and it is of this ref and commit, still valid, and no older than the one
    /// that the store has of the ref.
    /// </summary>
    /// <param name="offered">The record that came; null for none.</param>
    /// <param name="known">The record that the store has; null for none.</param>
    /// <param name="subject">Where it came from, for the message.</param>
    /// <param name="refName">The ref there.</param>
    /// <param name="commit">The commit that it names there.</param>
    /// <param name="keys">The trusted keys.</param>
    /// <param name="allowDowngrade">Whether it may be older than the known one.</param>
    internal static void Require(
        SignedRecord? offered, SignedRecord? known, string subject, string refName, Digest commit, TrustedKeys keys, bool allowDowngrade)
    {
        if (offered is null)
        {
            Refuse(known is not null && !allowDowngrade, $"{refName} has no signed record there, and had one before; --allow-downgrade takes it");
            return;
        }

        long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        RefRecord record = offered.Record;
        byte[] text = record.Encode();
        Refuse(
            !offered.Signatures.Any(one => one.Fits(text, SshSignature.OfCommits) && keys.Find(one.Key, SshSignature.OfCommits, now, out _) is not null),
            $"the record of {refName} is not signed by a trusted key");
        Refuse(record.Ref != refName || record.Commit != commit, $"the record of {refName} is of {record.Ref} at commit {record.Commit.ToShortString()}");
        Refuse(
            record.Expires <= now,
            $"the record of {refName} was valid until {RefRecord.Time(record.Expires)}: what is there is old, or the publisher has to push with --sign again");
        bool isOlder = known is not null
            && (record.Serial < known.Record.Serial || (record.Serial == known.Record.Serial && record.Commit != known.Record.Commit));
        Refuse(
            isOlder && !allowDowngrade,
            $"the record of {refName} has number {record.Serial}, and {known?.Record.Serial} was there before; --allow-downgrade takes it");

        void Refuse(bool isWrong, string fault)
        {
            if (isWrong)
            {
                throw new StoreException($"{subject}: {fault}");
            }
        }
    }
}
