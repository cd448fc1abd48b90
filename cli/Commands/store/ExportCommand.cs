using System.CommandLine;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class ExportCommand : Verb
{
    private const string Zstd = "zstd";

    private readonly Argument<string> revision;
    private readonly Option<string?> tar = new("--tar") { Description = "The file to write; - is standard output.", HelpName = "FILE" };
    private readonly Option<string?> oci = new("--oci")
    {
        Description = "Where to make a container image: oci://HOST/NAME:TAG, or an OCI image layout DIR[:TAG].",
        HelpName = "IMAGE",
    };

    private readonly Option<string?> platform = new("--platform")
    {
        Description = "What the image is for, such as linux/arm64. Default: what the commit says, or else this machine.",
        HelpName = "OS/ARCH",
    };

    private readonly Option<string?> layers = new("--layers")
    {
        Description = "How the image's layers are compressed: gzip or zstd. Default: gzip.",
        HelpName = "FORMAT",
    };

    private readonly ServerOptions servers = new();

    internal ExportCommand()
        : base(
            "export",
            "Write a commit's tree as a tar archive or a container image. One commit always makes the same bytes.",
            "hacktree export debian/bookworm --tar root.tar",
            "hacktree export debian/bookworm --tar - | zstd > root.tar.zst",
            "hacktree export debian/bookworm --oci oci://registry.example.com/debian:12")
    {
        Details = "An image has layers for earlier commits of the commit's history too, so that images of one history share most of their bytes. Prints "
            + "the digest of the image's manifest. How a container is run is what the commit's annotations oci.config.NAME say "
            + "(oci.config.Cmd='[\"/bin/sh\"]').";
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        AcceptOnly(layers, "gzip", Zstd);
        foreach (Option option in new Option[] { tar, oci, platform, layers })
        {
            Add(option);
        }

        servers.AddTo(this);
        AddRule(result =>
        {
            bool isImage = result.GetResult(oci) is not null;
            string? given = result.GetValue(platform);
            if (isImage == result.GetResult(tar) is not null)
            {
                result.AddError("give either --tar FILE or --oci IMAGE");
            }
            else if (!isImage && (given is not null || result.GetResult(layers) is not null))
            {
                result.AddError("--platform and --layers are for --oci");
            }
            else if (given is not null && Platform.TryParse(given) is null)
            {
                result.AddError("--platform takes OS/ARCHITECTURE, such as linux/arm64");
            }
        });
    }

    // What went into a pipe cannot be taken back, and the pipe's reader may keep the command waiting in write(2).
    protected override StopWay WayToStop(Session session) => session.Get(tar) == OutputFile.Standard ? StopWay.EndAtOnce : StopWay.TakeBack;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        if (session.Get(oci) is { } image)
        {
            MakeImage(session, store, commit, ImageName.ParseTarget(image));
            return ExitCode.Done;
        }

        var progress = new Progress { TotalFiles = store.Packs.ReadCommit(commit).Files };
        using ProgressLine? line = session.Show("exporting", progress);
        using var output = OutputFile.CreateOrStandard(session.Get(tar)!, "an archive", "--tar FILE");
        TarExport.Run(store, commit, output.Stream, progress);
        output.Complete();
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => session.Get(tar) is { } file ? $"{file} was not written" : "the image has no tag there";

    private void MakeImage(Session session, ObjectStore store, Digest commit, ImageName name)
    {
        using Remote remote = name.Place!.Open(servers.Get(session), Session.Stop);
        var progress = new Progress();
        MadeImage made;
        using (session.Show("exporting", progress))
        {
            made = ImageExport.Run(store, remote, new ImageRequest(
                commit,
                name.Tag ?? Remote.DefaultTag,
                session.Get(platform) is { } given ? Platform.TryParse(given) : null,
                session.Get(layers) == Zstd ? LayerPacking.Zstd : LayerPacking.Gzip,
                progress));
        }

        session.Note($"an image of {HumanText.Count(made.Layers, "layer")}, {made.Sent} of them new there; sent {HumanText.Bytes(remote.Bytes)}");
        Session.Output.WriteLine($"sha256:{made.Manifest}");
    }
}
