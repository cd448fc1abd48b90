using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Serves a store over two pipes to who pulls from it or pushes to it (transfer/FORMAT.md, section 9).</summary>
public static class StoreHost
{
    /// <summary>Serves until the other end has gone. Throws <see cref="StoreException"/> for an unknown message.</summary>
    /// <param name="store">The store.</param>
    /// <param name="input">What the other end writes.</param>
    /// <param name="output">What it reads.</param>
    /// <param name="isReadOnly">Whether nobody may push.</param>
    /// <param name="onWait">Called when the other end is waited for, with true, and when it has said something, with false.</param>
    public static void Run(ObjectStore store, Stream input, Stream output, bool isReadOnly, Action<bool> onWait)
    {
        using var link = new StoreLink(input, output, "the other end") { Stop = store.Stop, OnWait = onWait };
        var server = new StoreServer(store, link) { TakePush = isReadOnly ? null : message => Take(store, link, message) };
        if (server.Run() is not null)
        {
            throw link.Strange();
        }
    }

    /// <summary>Pulls over the link what the other end pushes. Returns the number of blobs and of their bytes.</summary>
    private static string Take(ObjectStore store, StoreLink link, LinkMessage message)
    {
        string name = Encoding.UTF8.GetString(link.Read(message.Length, StoreLink.MaxText));
        if (message.Words.Length != 2 || !Digest.TryParse(message.Words[1], out Digest before) || !RefName.IsValid(name))
        {
            throw link.Strange();
        }

        store.RequireWritable();
        PullResult pulled = Pull.Run(store, new LinkSource(link), PullRequest.OfPush(name, before));
        return $"{pulled.Blobs} {pulled.RawBytes}";
    }
}
