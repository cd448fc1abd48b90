using System.CommandLine;
using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class MountCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Argument<string> directory = new("DIR") { Description = "The directory to mount it at." };
    private readonly Option<string?> changes = new("--rw")
    {
        Description = "Make the mount writable. This directory gets the changes: upper/ has the changed files. It is made if it is missing.",
        HelpName = "PLACE",
    };

    private readonly Option<bool> verity = new("--verity")
    {
        Description = "Let the kernel compare what is read with the digests in the image. Files without fs-verity cannot be read then.",
    };

    private readonly Option<bool> json = Json();

    internal MountCommand()
        : base(
            "mount",
            "Mount a commit, in an instant at any size.",
            "hacktree mount debian/bookworm /mnt",
            "hacktree mount --rw /var/lib/c1 debian/bookworm /mnt")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(directory);
        Add(changes);
        Add(verity);
        Add(json);
        Details = "The mount shows the commit's tree, with all owners, modes and attributes. Names and metadata come from an EROFS image in the format of "
            + "composefs, which is kept in the store and made at the first mount; content comes from the store's objects. Nothing is copied, and nobody "
            + "can write to an object through the mount. gc keeps the commit while it is mounted. A mount ends with `hacktree umount`, and with the machine's "
            + "run.";
    }

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        using ObjectStore store = session.OpenStoreToWrite();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        MountedImage mounted = ImageMount.Make(
            store, commit, session.Get(directory), new ImageMountOptions { Changes = session.Get(changes), Verity = session.Get(verity) });
        if (session.Get(verity) && store.Format.Verity == VerityUse.Off)
        {
            session.Note("this store's objects have no fs-verity (`init --verity`), so files of more than 64 bytes cannot be read there");
        }

        string way = mounted.IsLoop ? ", through a loop device" : "";
        session.Note($"{mounted.Path}: commit {CommitText.Short(commit)}{way}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBytes("path", ByteText.FromArgument(mounted.Path));
                writer.WriteDigest("commit", commit);
                writer.WriteDigest("image", mounted.Image.Digest);
                writer.WriteBoolean("loop", mounted.IsLoop);
                writer.WriteEndObject();
            });
        }

        return ExitCode.Done;
    }
}
