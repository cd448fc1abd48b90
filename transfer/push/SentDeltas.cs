using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Makes and sends the deltas of one push.</summary>
internal static class SentDeltas
{
    /// <summary>
    /// Sends deltas to a commit from one that the remote's ref named before, its first parent, and so on, as far as the store has them: those are what
    /// machines that follow the ref may have. One that saves too little is left out.
    /// </summary>
    internal static List<OfferedDelta> Send(ObjectStore store, Remote remote, SentContent content, Digest newest, int count)
    {
        var sent = new List<OfferedDelta>();
        for (int i = 0; i < count && !newest.IsNone && store.Packs.TryReadCommit(newest, out _); i++)
        {
            var old = SentContent.Of(store, newest);
            using MadeDelta? delta = DeltaWriter.TryMake(store, old, content);
            if (delta is not null)
            {
                Descriptor descriptor = delta.Describe();
                remote.SendUnlessThere(descriptor, delta.File);
                sent.Add(new OfferedDelta(descriptor, newest));
            }

            newest = old.Commit.Parents.FirstOrDefault();
        }

        return sent;
    }
}
