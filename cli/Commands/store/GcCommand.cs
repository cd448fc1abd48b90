using System.CommandLine;
using System.Globalization;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class GcCommand : Verb
{
    private readonly Option<bool> dryRun = new("--dry-run", "-n") { Description = "Only print what would be removed." };
    private readonly Option<int?> depth;
    private readonly Option<int?> keep;
    private readonly Option<string[]> depthOf = new("--depth-of")
    {
        Description = "Another depth for one ref, or for all that begin so: REF=N, or 'nightly/*=N'. Repeatable; the last one that fits counts.",
        HelpName = "REF=N",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> younger = new("--keep-younger-than")
    {
        Description = "Keep of each ref's history what is younger: '30 days ago', 12h, or a time such as 2026-11-23T04:17:32Z. With --depth, "
            + "keep what either keeps.",
        HelpName = "TIME",
    };

    private readonly Option<string?> explain = new("--explain")
    {
        Description = "Remove nothing, and say who holds a root, a commit, a tree, an object, or the file or directory at a path (with a slash).",
        HelpName = "THING",
    };

    private readonly Option<bool> verbose = new("--verbose", "-v") { Description = "Print the name of everything that is removed." };
    private readonly Option<bool> json;

    internal GcCommand()
        : base(
            "gc",
            "Remove everything that no ref and no root needs, and what interrupted commands left.",
            "hacktree gc --dry-run",
            "hacktree gc --depth 3",
            "hacktree gc --keep-younger-than '30 days ago'",
            "hacktree gc --keep 1",
            "hacktree gc --explain /r1/usr/bin/ls")
    {
        Add(dryRun);
        depth = AddNumber("The number of generations of ancestors to keep for each ref; 0 keeps none. Default: all.", "--depth");
        Add(depthOf);
        Add(younger);
        keep = AddNumber(
            "Also remove roots made with --boot, except the N newest and those that are running, the default, the default before, on trial or pinned.",
            "--keep");
        Add(verbose);
        explain.CompletionSources.Add(Completions.Refs);
        Add(explain);
        json = AddJson();
    }

    protected override int Run(Session session)
    {
        RefDepth[] depthsOf = [.. session.Get(depthOf)!.Select(DepthOf)];
        string? thing = session.Get(explain);
        bool isDryRun = session.Get(dryRun) || thing is not null;
        long? since = session.Get(younger) is { } time ? TimeText.TimeOrAge(younger.Name, time, DateTimeOffset.UtcNow) : null;
        if (!isDryRun && !Sys.IsRoot)
        {
            EnterNamespaceForLeftovers(session);
        }

        using ObjectStore store = isDryRun ? session.OpenStore() : session.OpenStoreToWrite();
        store.RequireReadable();
        RequireRefs(store, depthsOf);
        var roots = new BootableRoots(store);
        IReadOnlyList<string> surplus = session.Get(keep) is { } number ? roots.FindSurplus(number) : [];
        Action<string>? onRemove = session.Get(verbose) && !session.Get(json) ? Session.Output.WriteLine : null;
        if (thing is not null)
        {
            var kept = new CollectOptions { WithoutRoots = surplus, Depth = session.Get(depth), DepthsOf = depthsOf, KeepSince = since };
            var explanation = new GcExplain(store, thing, kept);
            (session.Get(json) ? explanation.WriteJson : (Action)explanation.Print)();
            return ExitCode.Done;
        }

        IReadOnlyList<string> gone = isDryRun ? surplus : RemoveRoots(roots, surplus);
        var options = new CollectOptions
        {
            WithoutRoots = isDryRun ? surplus : [],
            DryRun = isDryRun,
            Depth = session.Get(depth),
            DepthsOf = depthsOf,
            KeepSince = since,
            OnRemove = onRemove,
            Progress = new Progress(),
        };
        CollectResult result;
        using (session.Show("looking at objects", options.Progress))
        {
            result = Collect.Run(store, options);
        }

        foreach (string image in result.ImagesMissing)
        {
            session.Note($"{image}: this root was an image and is not where it was made; its commit is kept in case it was moved; "
                + $"`hacktree roots rm {image}` lets the commit go");
        }

        if (session.Get(json))
        {
            WriteJson(gone, result, isDryRun);
        }
        else
        {
            Print(gone, result, isDryRun);
        }

        return result.ObstacleCount == 0 ? (gone.Count == surplus.Count ? ExitCode.Done : ExitCode.Failed) : SayObstacles(result);
    }

    /// <summary>
    /// Begins anew in a user namespace if there are leftovers: an ordinary user's build may leave files and directories that the user
    /// cannot remove outside. Returns if there are none, or if no namespace can be had.
    /// </summary>
    private static void EnterNamespaceForLeftovers(Session session)
    {
        using (ObjectStore store = session.OpenStoreToWrite())
        {
            if (!Leftovers.MayBeThere(store))
            {
                return;
            }
        }

        UserNamespace space;
        try
        {
            space = UserNamespace.Find();
        }
        catch (StoreException)
        {
            return;
        }

        space.Enter();
    }

    private RefDepth DepthOf(string text)
    {
        int sign = text.LastIndexOf('=');
        return sign > 0 && int.TryParse(text.AsSpan(sign + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? new RefDepth(text[..sign], number)
            : throw new UsageException($"{depthOf.Name} takes REF=N, not '{text}'");
    }

    // A name that fits nothing is most likely a slip, and would cost a history.
    private void RequireRefs(ObjectStore store, IEnumerable<RefDepth> depths)
    {
        List<string> names = store.Refs.List();
        if (depths.FirstOrDefault(each => !names.Exists(each.Fits)) is { } strange)
        {
            throw store.Refs.AliasNames().Contains(strange.Refs)
                ? new StoreException($"{depthOf.Name}: '{strange.Refs}' is an alias, and a history is that of a ref: '{store.Refs.Follow(strange.Refs).Name}'")
                : new StoreException($"{depthOf.Name}: there is no ref '{strange.Refs}'", new Remedy.ListRefs());
        }
    }

    /// <summary>Removes the roots and returns those that are gone. Says why others are not.</summary>
    private static List<string> RemoveRoots(BootableRoots roots, IReadOnlyList<string> surplus)
    {
        var gone = new List<string>();
        foreach (string root in surplus)
        {
            try
            {
                roots.Remove(root);
                gone.Add(root);
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                _ = Failure.Report(e);
            }
        }

        return gone;
    }

    private static int SayObstacles(CollectResult result)
    {
        foreach (Exception obstacle in result.Obstacles)
        {
            Failure.Say(Failure.Sentence(obstacle));
        }

        long more = result.ObstacleCount - result.Obstacles.Count;
        string others = more > 0 ? $"{HumanText.Count(more, "other thing")} stood in the way too; " : "";
        Failure.Say($"{others}what stood in the way stays until a later gc, all else was done");
        return ExitCode.Failed;
    }

    protected override string Undone(Session session) => "what was removed so far nobody needs, and the next gc removes the rest";

    private static void Print(IReadOnlyList<string> roots, CollectResult result, bool isDryRun)
    {
        StandardOutput output = Session.Output;
        string removed = isDryRun ? "would remove" : "removed";
        if (roots.Count > 0)
        {
            output.WriteLine($"{removed} {HumanText.Count(roots.Count, "root")}: {string.Join(", ", roots)}");
        }

        output.WriteLine($"{removed} {Counts(result.ObjectsRemoved, result.CommitsDropped, result.TreesDropped)}: "
            + $"{HumanText.Bytes(result.BytesFreed + result.PackBytesFreed)} freed");
        if (result.ObjectsHeldOutside > 0)
        {
            output.WriteLine($"{HumanText.Count(result.ObjectsHeldOutside, "object")} of them, {HumanText.Bytes(result.BytesHeldOutside)}, "
                + "live on in directories outside the store");
        }

        if (result.LitterRemoved + result.RootRecordsDropped + result.RootRecordsCompleted > 0)
        {
            (long Count, string What)[] settled =
            [
                (result.LitterRemoved, "leftovers of interrupted commands"),
                (result.RootRecordsDropped, "records dropped of roots that are gone"),
                (result.RootRecordsCompleted, "records completed of roots that are whole"),
            ];
            output.WriteLine(string.Join("; ", settled.Where(x => x.Count > 0).Select(x => $"{x.What}: {HumanText.Count(x.Count)}")));
        }

        output.WriteLine($"{(isDryRun ? "would stay" : "stay")}: {Counts(result.LiveObjects, result.LiveCommits, result.LiveTrees)}");
    }

    private static string Counts(long objects, long commits, long trees) =>
        $"{HumanText.Count(objects, "object")}, {HumanText.Count(commits, "commit")}, {HumanText.Count(trees, "tree")}";

    private static void WriteJson(IReadOnlyList<string> roots, CollectResult result, bool isDryRun) => JsonText.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteBoolean("dryRun", isDryRun);
        writer.WriteStrings("rootsRemoved", roots);
        writer.WriteNumber("objectsRemoved", result.ObjectsRemoved);
        writer.WriteNumber("bytesFreed", result.BytesFreed);
        writer.WriteNumber("objectsHeldOutside", result.ObjectsHeldOutside);
        writer.WriteNumber("bytesHeldOutside", result.BytesHeldOutside);
        writer.WriteNumber("commitsDropped", result.CommitsDropped);
        writer.WriteNumber("treesDropped", result.TreesDropped);
        writer.WriteNumber("packBytesFreed", result.PackBytesFreed);
        writer.WriteNumber("litterRemoved", result.LitterRemoved);
        writer.WriteNumber("rootRecordsDropped", result.RootRecordsDropped);
        writer.WriteNumber("rootRecordsCompleted", result.RootRecordsCompleted);
        writer.WriteStrings("imagesMissing", result.ImagesMissing);
        writer.WriteNumber("liveObjects", result.LiveObjects);
        writer.WriteNumber("liveCommits", result.LiveCommits);
        writer.WriteNumber("liveTrees", result.LiveTrees);
        writer.WriteEndObject();
    });
}
