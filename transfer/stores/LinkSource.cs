using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Pulls from a store at the other end of a link (transfer/FORMAT.md, section 9). What is lacking is asked for in pieces; a pull that was ended early does not
/// ask again for those that it had.
/// </summary>
/// <param name="link">The link.</param>
/// <param name="owner">What is closed with this source; null if the link is somebody else's.</param>
internal sealed class LinkSource(StoreLink link, IDisposable? owner = null) : PullSource
{
    // What a pull that is ended early has to fetch again, and what lies in a scratch file at a time.
    private const long PieceSize = 64 * 1024 * 1024;

    private const int MostKnown = 500;

    /// <summary>Pulls from a store on another machine.</summary>
    internal LinkSource(SshProcess ssh)
        : this(ssh.Link, ssh)
    {
    }

    /// <inheritdoc/>
    public override string Subject => link.Subject;

    /// <inheritdoc/>
    public override long Requests => link.Requests;

    /// <inheritdoc/>
    public override long Bytes => link.Bytes;

    /// <summary>The commit that a ref names at the other end; none if there is no such ref.</summary>
    internal static Digest FindRef(StoreLink link, string refName)
    {
        if (!RefName.IsValid(refName))
        {
            return default;
        }

        string answer = link.AskText("ref", Encoding.UTF8.GetBytes(refName));
        return answer.Length == 0 ? default : Digest.TryParse(answer, out Digest commit) ? commit : throw link.Strange();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Refs()
    {
        string[] names = link.AskText("refs", []).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return Array.TrueForAll(names, RefName.IsValid) ? names : throw link.Strange();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        owner?.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    internal override OfferedCommit? Find(ObjectStore store, string refName) =>
        FindRef(link, refName) is { IsNone: false } commit ? new Offered(link, store, commit, refName) : null;

    /// <inheritdoc/>
    internal override OfferedCommit? Find(ObjectStore store, Digest commit)
    {
        var offered = new Offered(link, store, commit, refName: null);
        return offered.IsThere ? offered : null;
    }

    private sealed class Offered(StoreLink link, ObjectStore store, Digest digest, string? refName) : OfferedCommit
    {
        private Digest from;
        private byte[]? text;

        internal override Digest Digest => digest;

        internal override IReadOnlyList<SshSignature> Signatures =>
            field ??= SshArmor.Parse(link.Read(link.Ask($"signatures {digest}", []), Store.Signatures.MaxLength));

        internal override SignedRecord? Record =>
            refName is null ? null : SignedRecord.TryParse(link.Read(link.Ask("record", Encoding.UTF8.GetBytes(refName)), RefRecords.MaxLength));

        internal bool IsThere => Text.Length > 0;

        private byte[] Text => text ??= link.Read(link.Ask($"commit {digest}", []), Commit.MaxLength);

        internal override byte[] ReadText() => Digest.Of(Text) == digest
            ? Text
            : throw new StoreException($"{link.Subject}: commit {digest.ToShortString()} is {(IsThere ? "another one" : "missing")} there");

        internal override Digest Begin(PullRequest request, Digest before)
        {
            long length = link.Ask($"trees {digest}", Bytes(Known(before)));
            using DeltaFile trees = Open(link.ReadFile(store, length, RemoteCommit.MaxPack));
            if (!trees.Head.From.IsNone && !store.Packs.TryReadCommit(trees.Head.From, out _))
            {
                throw link.Strange();
            }

            trees.AttachPack(store);

            // What this store lacks of a commit that it has is not made from that commit.
            from = trees.Head.From == digest ? default : trees.Head.From;
            return from.IsNone ? before : from;
        }

        internal override Tree ReadTree(Digest tree)
        {
            try
            {
                return store.Packs.ReadTree(tree);
            }
            catch (CorruptException e) when (e.IsMissing)
            {
                throw new StoreException($"{link.Subject}: commit {digest.ToShortString()} is not whole there: {tree} is missing");
            }
            catch (CorruptException e) when (e.Subject == link.Subject)
            {
                // This store is not what is damaged, so the advice to check it would be wrong.
                throw new CorruptException(e.Subject, e.Fault, null);
            }
        }

        // How much zstd saves is known only afterwards.
        internal override FetchCost CostOf(Dictionary<Digest, LackingBlob> lacking) =>
            new(Pieces(lacking.Values).Count(), lacking.Values.Sum(blob => blob.Size));

        internal override void Fetch(Additions additions, StoredContent old, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
        {
            foreach (List<LackingBlob> piece in Pieces(lacking.Values).ToList())
            {
                try
                {
                    Fetch(additions, old, from, piece, lacking, progress);
                }
                catch (StoreException e) when (e is not UnheldException && !from.IsNone && !link.IsBroken)
                {
                    // Perhaps an old file is damaged here. Without it everything comes whole.
                }

                List<LackingBlob> left = [.. piece.Where(blob => lacking.ContainsKey(blob.Digest))];
                if (left.Count > 0)
                {
                    Fetch(additions, old, default, left, lacking, progress);
                }
            }

            if (lacking.Values.FirstOrDefault() is { } missing)
            {
                throw new StoreException($"{link.Subject}: {ByteText.Quote(missing.Path)} of commit {digest.ToShortString()} is missing there");
            }
        }

        private static IEnumerable<List<LackingBlob>> Pieces(IEnumerable<LackingBlob> blobs)
        {
            List<LackingBlob> piece = [];
            long size = 0;
            foreach (LackingBlob blob in blobs)
            {
                if (piece.Count > 0 && size + blob.Size > PieceSize)
                {
                    yield return piece;
                    (piece, size) = ([], 0);
                }

                piece.Add(blob);
                size += blob.Size;
            }

            if (piece.Count > 0)
            {
                yield return piece;
            }
        }

        private static byte[] Bytes(List<Digest> digests)
        {
            byte[] bytes = new byte[digests.Count * Digest.Size];
            Span<byte> rest = bytes;
            foreach (Digest each in digests)
            {
                each.CopyTo(rest);
                rest = rest[Digest.Size..];
            }

            return bytes;
        }

        private void Fetch(
            Additions additions, StoredContent old, Digest basedOn, List<LackingBlob> piece, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
        {
            long length = link.Ask($"blobs {digest} {basedOn}", Bytes([.. piece.Select(blob => blob.Digest)]));

            // zstd makes nothing much longer; a row is some hundred bytes.
            long most = piece.Sum(blob => blob.Size + (blob.Size / 64) + 1024) + (64 * 1024);
            using DeltaFile delta = Open(link.ReadFile(store, length, most));
            delta.Add(additions, old, lacking, progress);
        }

        private DeltaFile Open(FileStream file)
        {
            var delta = DeltaFile.Open(file, fault => new CorruptException(link.Subject, fault, null));
            if (delta.Head.To == digest)
            {
                return delta;
            }

            delta.Dispose();
            throw link.Strange();
        }

        /// <summary>Commits that this store has, those first that are likely to have most in common with the wanted one.</summary>
        private List<Digest> Known(Digest before)
        {
            List<Digest> known = [];
            if (store.Packs.Contains(digest))
            {
                known.Add(digest);
            }

            if (!before.IsNone)
            {
                known.Add(before);
            }

            known.AddRange(store.Refs.List().Select(store.Refs.Find).Take(MostKnown));
            return [.. known.Distinct()];
        }
    }
}
