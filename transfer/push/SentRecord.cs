using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What to sign about a ref that is pushed.</summary>
/// <param name="Key">The key.</param>
public sealed record RecordRequest(SigningKey Key)
{
    /// <summary>For how many days the record is valid.</summary>
    public int Days { get; init; } = 30;

    /// <summary><see cref="RefRecord.Cohort"/>.</summary>
    public int Cohort { get; init; } = 100;

    /// <summary><see cref="RefRecord.NotBefore"/>.</summary>
    public long NotBefore { get; init; }
}

/// <summary>Finds or makes the signed record of a ref that is pushed.</summary>
internal static class SentRecord
{
    private const int SecondsOfDay = 24 * 60 * 60;

    /// <summary>
    /// A new record where one is asked for, else one of this commit that the store or the remote has. Throws <see cref="StoreException"/> if there is none and
    /// the remote's ref has one, because then who follows the ref would take no other. <paramref name="known"/> is the one that the store has.
    /// </summary>
    internal static SignedRecord? Of(ObjectStore store, Remote remote, PushRequest request, Digest commit, Manifest? old, SignedRecord? known)
    {
        if (request.Record is { } wanted)
        {
            // The time is a number that every publisher has, and that no remote can make higher.
            long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            var record = new RefRecord(request.Ref, commit, Math.Max(now, (known?.Record.Serial ?? 0) + 1), now, now + ((long)wanted.Days * SecondsOfDay))
            {
                Cohort = wanted.Cohort,
                NotBefore = wanted.NotBefore,
            };
            return SignedRecord.Make(record, wanted.Key, store.Stop);
        }

        SignedRecord? fitting = new[] { known, old?.Record }
            .Where(each => each is not null && each.Record.Commit == commit && each.Record.Ref == request.Ref)
            .MaxBy(each => each!.Record.Serial);
        return fitting is not null || old?.Record is null || request.Force
            ? fitting
            : throw new StoreException(
                $"{remote.Subject}: {request.Ref} has a signed record there, and machines that want one would not take a commit without; "
                + "push with --sign KEY, or without a record with --force");
    }
}
