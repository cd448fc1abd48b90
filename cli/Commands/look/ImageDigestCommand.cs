using System.CommandLine;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class ImageDigestCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Option<bool> mounted = new("--mounted")
    {
        Description = "Of the image that `hacktree mount` mounts, which names files by the objects of this store.",
    };

    private readonly Option<bool> json;

    internal ImageDigestCommand()
        : base("image-digest", "Print the fs-verity digest of a commit's composefs image.", "hacktree image-digest debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(mounted);
        json = AddJson();
        Details = "An image has all names and metadata of a commit, and of each file the digest of its content, so its digest stands for the whole "
            + "tree. It is the digest that `mkcomposefs --print-digest-only` prints for a checkout of the commit. The image is not kept. With "
            + "--mounted it is another: a composefs repository has a file's content at another path than this store, and the paths are in the image.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        ImageFacts image = CommitImage.Make(store, commit, session.Get(mounted) ? ImagePaths.Objects : ImagePaths.Composefs, receive: null);
        if (!session.Get(json))
        {
            Session.Output.WriteLine(image.Digest.ToString());
            return ExitCode.Done;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteDigest("commit", commit);
            writer.WriteDigest("digest", image.Digest);
            writer.WriteNumber("bytes", image.Length);
            writer.WriteEndObject();
        });
        return ExitCode.Done;
    }
}
