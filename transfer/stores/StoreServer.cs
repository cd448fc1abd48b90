using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Answers what the other end of a link asks about a store (transfer/FORMAT.md, section 9): a pull that goes on there. Nothing that comes is trusted.
/// </summary>
internal sealed class StoreServer(ObjectStore store, StoreLink link)
{
    private (Digest From, SentContent? Old, Digest To, SentContent Content)? last;

    /// <summary>The only commit that is served; none for all.</summary>
    internal Digest Only { get; init; }

    /// <summary>Takes a push from the other end; null where nobody may push.</summary>
    internal Func<LinkMessage, string>? TakePush { get; init; }

    /// <summary>Answers until the other end has no more to ask. Returns the message that was no request but an answer; null at the link's end.</summary>
    internal LinkMessage? Run()
    {
        while (link.Receive() is { } message)
        {
            if (message.IsAnswer)
            {
                return message;
            }

            try
            {
                Answer(message);
            }
            catch (StoreException e) when (!link.IsBroken)
            {
                Refuse(e.Message);
            }
        }

        return null;
    }

    private void Answer(LinkMessage message)
    {
        switch (message.Words)
        {
            case ["hello"]:
                Skip(message);
                Say(StoreLink.Version);
                break;
            case ["refs"]:
                Skip(message);
                Say(string.Concat(store.Refs.Names().Where(_ => Only.IsNone).Select(name => $"{name}\n")));
                break;
            case ["ref"]:
                Say(store.Refs.Find(ReadRef(message)) is { IsNone: false } found && IsServed(found) ? found.ToString() : "");
                break;
            case ["record"]:
                link.Send(StoreLink.Yes, store.RefRecords.Read(ReadRef(message)));
                break;
            case ["commit", var digest]:
                Skip(message);
                link.Send(StoreLink.Yes, store.Packs.TryReadCommit(ParseServed(digest), out Commit? commit) ? commit.Encode() : []);
                break;
            case ["signatures", var digest]:
                Skip(message);
                link.Send(StoreLink.Yes, store.Signatures.Read(ParseServed(digest)));
                break;
            case ["trees", var digest]:
                SendTrees(ParseServed(digest), Digests(link.Read(message.Length, StoreLink.MaxText)));
                break;
            case ["blobs", var digest, var from]:
                SendBlobs(ParseServed(digest), Parse(from), [.. Digests(link.Read(message.Length, StoreLink.MaxText))]);
                break;
            case ["push", ..] when TakePush is { } take:
                Say(take(message));
                break;
            case ["push", ..]:
                Skip(message);
                Refuse("nobody may push here");
                break;
            default:
                throw link.Strange();
        }
    }

    /// <summary>Sends the commit and its trees that the first commit does not have of those that both ends have.</summary>
    private void SendTrees(Digest to, IEnumerable<Digest> known)
    {
        Digest from = known.FirstOrDefault(digest => store.Packs.TryReadCommit(digest, out _));
        (SentContent? old, SentContent content) = ContentOf(from, to);
        using MadeDelta made = DeltaWriter.MakeTrees(store, old, content);
        link.Send(StoreLink.Yes, made.File);
    }

    private void SendBlobs(Digest to, Digest from, HashSet<Digest> wanted)
    {
        (SentContent? old, SentContent content) = ContentOf(from, to);
        using MadeDelta made = DeltaWriter.MakeBlobs(store, old, content, wanted);
        link.Send(StoreLink.Yes, made.File);
    }

    // A pull asks many times about the same two commits.
    private (SentContent? Old, SentContent Content) ContentOf(Digest from, Digest to)
    {
        if (last is not { } known || known.From != from || known.To != to)
        {
            known = (from, from.IsNone ? null : SentContent.Of(store, from), to, SentContent.Of(store, to));
            last = known;
        }

        return (known.Old, known.Content);
    }

    private void Say(string text) => link.Send(StoreLink.Yes, Encoding.UTF8.GetBytes(text));

    private void Refuse(string why)
    {
        byte[] text = Encoding.UTF8.GetBytes(why);
        link.Send(StoreLink.No, text.AsSpan(0, Math.Min(text.Length, StoreLink.MaxRefusal)));
    }

    private void Skip(LinkMessage message) => _ = link.Read(message.Length, StoreLink.MaxText);

    private string ReadRef(LinkMessage message)
    {
        string name = Encoding.UTF8.GetString(link.Read(message.Length, StoreLink.MaxText));
        return RefName.IsValid(name) ? name : throw link.Strange();
    }

    private Digest ParseServed(string hex) => Parse(hex) is var digest && IsServed(digest) ? digest : throw link.Strange();

    private bool IsServed(Digest commit) => Only.IsNone || commit == Only;

    private Digest Parse(string hex) => Digest.TryParse(hex, out Digest digest) ? digest : throw link.Strange();

    private static IEnumerable<Digest> Digests(byte[] bytes) =>
        bytes.Chunk(Digest.Size).Where(each => each.Length == Digest.Size).Select(each => new Digest(each));
}
