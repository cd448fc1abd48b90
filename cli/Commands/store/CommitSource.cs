using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>
/// What `commit` commits: a directory, an archive, several of them laid over one another, a container image, or the running root. Has the options
/// that name it.
/// </summary>
internal sealed class CommitSource
{
    private readonly Argument<string?> tree = new("TREE")
    {
        Description = "The directory to commit, or with --ostree the ref there.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string[]> trees = new("--tree")
    {
        Description = "A directory, or a commit, laid over what is named before it. May be repeated, and mixed with --tar.",
        HelpName = "DIR",
    };

    private readonly Option<string[]> tars = new("--tar")
    {
        Description = "The tree in a tar archive, compressed or not; - is standard input. Over something else its whiteouts (.wh.NAME) hide what is below.",
        HelpName = "FILE",
    };

    private readonly Option<string?> oci = new("--oci")
    {
        Description = "A container image: oci://HOST/NAME:TAG, an OCI image layout DIR[:TAG], or an archive of `docker save`.",
        HelpName = "IMAGE",
    };

    private readonly Option<string?> platform = new("--platform")
    {
        Description = "What the image must be for, such as linux/arm64. Of several, this machine's is taken otherwise.",
        HelpName = "OS/ARCH",
    };

    private readonly Option<bool> unlocked = new("--unlocked")
    {
        Description = "Commit the running root as `hacktree unlock` made it writable: its commit with what was changed since.",
    };

    private readonly Option<string?> basis = new("--base")
    {
        Description = "Lay what is committed over the tree of this commit: as --tree COMMIT before all others.",
        HelpName = "COMMIT",
    };

    private readonly ServerOptions servers = new();
    private ImageImport? image;

    /// <summary>The running root, if that is the source.</summary>
    internal UnlockedRoot? Running { get; private set; }

    /// <summary>What is known of the source and belongs into the commit.</summary>
    internal ImmutableSortedDictionary<string, string> Annotations => image?.Annotations ?? Commit.NoAnnotations;

    internal void AddArgumentTo(Command command) => command.Add(tree);

    internal void AddOptionsTo(Command command)
    {
        trees.CompletionSources.Add(Completions.Refs);
        basis.CompletionSources.Add(Completions.Refs);
        foreach (Option option in Options)
        {
            command.Add(option);
        }

        servers.AddTo(command);
    }

    /// <summary>What is wrong with the command line; null if nothing is.</summary>
    internal string? Fault(CommandResult result, bool isConsumed)
    {
        bool isTree = result.GetValue(tree) is not null, isOverlay = IsGiven(trees) || IsGiven(tars);
        bool isImage = IsGiven(oci), isRunning = result.GetValue(unlocked);
        return new[] { isTree, isOverlay, isImage, isRunning }.Count(isGiven => isGiven) != 1
            ? "give either a directory, TREE, or an archive, --tar FILE, or several with --tree and --tar, or --oci IMAGE, or --unlocked, "
                + "or --ostree REPO OSTREE_REF"
            : isRunning && isConsumed ? "--consume takes a directory, not the running root"
            : !isTree && isConsumed ? "--consume takes a directory, TREE, not an archive and not an image"
            : IsGiven(basis) && (isImage || isRunning || isConsumed) ? "--base goes with a directory or archives: leave out --oci, --unlocked and --consume"
            : IsGiven(platform) && !isImage ? "--platform is for --oci"
            : IsGiven(platform) && Platform.TryParse(result.GetValue(platform)!) is null ? "--platform takes OS/ARCHITECTURE, such as linux/arm64"
            : null;

        bool IsGiven(Option option) => result.GetResult(option) is not null;
    }

    /// <summary>The directory, if it is the source alone.</summary>
    internal Argument<string?> Tree => tree;

    /// <summary>The options that name something else than a directory alone.</summary>
    internal IEnumerable<Option> Options => [trees, tars, basis, oci, platform, unlocked];

    /// <summary>Finds the running root, if that is the source.</summary>
    internal void Open(Session session, ObjectStore store) => Running = session.Get(unlocked) ? UnlockedRoot.Find(store) : null;

    /// <summary>Reads the source.</summary>
    internal ImportResult Import(Session session, Additions additions, ImportOptions options, CommitRequest request)
    {
        using ProgressLine? line = session.Show("committing", options.Progress!);
        if (Running is not null)
        {
            return Running.Import(additions, options);
        }

        if (session.Get(oci) is { } text)
        {
            return ImportImage(session, text, additions, options, request);
        }

        IReadOnlyList<(Option<string[]> Option, string Value)> sources = session.InOrder(trees, tars);
        if (session.Get(basis) is not null && session.Get(tree) is { } top)
        {
            sources = [(trees, top)];
        }
        else if (session.Get(basis) is null && sources.Count == 0)
        {
            return ImportTree(session, session.Get(tree)!, additions, options);
        }

        return session.Get(basis) is null && sources is [(_, string archive)] && sources[0].Option == tars
            ? Read(archive, input => TarImport.Run(additions, input, options))
            : Overlay(session, sources, additions, options);
    }

    /// <summary>Remembers what spares later commits work. Called when the commit was made.</summary>
    internal void Remember() => image?.Remember();

    private static ImportResult ImportTree(Session session, string path, Additions additions, ImportOptions options)
    {
        if (RunningRoot.RecordOf(additions.Store, path) is { Method: CheckoutMethod.Image } record)
        {
            throw new StoreException(
                $"{path}: it is a root that is an image of {CommitText.Short(record.Commit)}; "
                + "`hacktree build --from` changes that commit, and `hacktree unlock` the running root");
        }

        string place = RunningRoot.Find(additions.Store, path);
        if (place != path)
        {
            session.Note($"{path} is {place}, and is committed as it is there: without what is mounted over it");
        }

        return TreeImport.Run(additions, place, options);
    }

    private ImportResult ImportImage(Session session, string text, Additions additions, ImportOptions options, CommitRequest request)
    {
        Platform? wanted = session.Get(platform) is { } given ? Platform.TryParse(given) : null;
        using Image opened = ImageSource.Open(additions.Store, text, wanted, servers.Get(session), () => Streams.OpenInput("-"));
        image = ImageImport.Run(additions, opened, options, request.Ref, request.Time);
        string layers = HumanText.Count(opened.Config.DiffIds.Count, "layer");
        session.Note($"the image is for {opened.Config.Platform}, with {layers}, {image.Remembered} of them remembered");
        return image.Result;
    }

    private ImportResult Overlay(Session session, IReadOnlyList<(Option<string[]> Option, string Value)> sources, Additions additions, ImportOptions options)
    {
        var result = new LayeredTree(additions);
        if (session.Get(basis) is { } below)
        {
            result.AddTree(TreeOf(additions.Store, below).RootEntry());
        }

        var notes = new List<string>();
        foreach ((Option<string[]> option, string value) in sources)
        {
            if (option == tars)
            {
                notes.AddRange(Read(value, input => result.AddArchive(input, options, hasWhiteouts: true)));
            }
            else if (PathStatus.Exists(value))
            {
                // Trees can be read when they were published. What the result has no more of them, gc removes.
                using var apart = new Additions(additions.Store);
                ImportResult part = ImportTree(session, value, apart, options);
                apart.Publish();
                notes.AddRange(part.Notes);
                result.AddTree(part.AsEntry());
            }
            else
            {
                result.AddTree(TreeOf(additions.Store, value).RootEntry());
            }
        }

        return result.Build() with { Notes = notes };
    }

    private static Commit TreeOf(ObjectStore store, string revision) => store.Packs.ReadCommit(Revision.Resolve(store, revision));

    private static T Read<T>(string archive, Func<Stream, T> read)
    {
        string name = archive == "-" ? "standard input" : archive;
        try
        {
            using Stream input = Streams.OpenInput(archive);
            return read(input);
        }
        catch (TarException e) when (e.Cause is { } cause)
        {
            throw new LinuxException(cause.Errno, cause.Call, $"{name}: {cause.Subject}");
        }
        catch (IOException e) when (e is not LinuxException)
        {
            // A TarException has the place in the archive, but not the archive's name. Another read error does not have the name either.
            throw new StoreException($"{name}: {e.Message}", (e as TarException)?.Remedy);
        }
    }
}
