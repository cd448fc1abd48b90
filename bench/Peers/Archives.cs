using HackTree.Bench.Report;

namespace HackTree.Bench.Peers;

/// <summary>tar keeps a tree in one file.</summary>
internal sealed class Tar : Contestant
{
    internal override string Name => "tar";

    internal override IReadOnlyList<string> VersionCommand => ["tar", "--version"];

    internal override string How => "tar -cf, not compressed, and tar -xf. Does not sync; the time of a syncfs after it is added.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string archive = arena.At("tree.tar");
        yield return new Step(Work.First, "tar -c", "tar", "-C", arena.Tree, "-cf", archive, ".") { NeededFor = [Work.Checkout, Work.Ls] };
        yield return Step.Prepare([Work.Checkout], "mkdir", arena.At("r0"));
        yield return new Step(Work.Checkout, "tar -x", "tar", "-C", arena.At("r0"), "-xf", archive);
        yield return new Step(Work.Ls, "tar -t", "tar", "-tf", archive);
    }
}

/// <summary>casync keeps trees in a store of chunks.</summary>
internal sealed class Casync : Contestant
{
    internal override string Name => "casync";

    internal override IReadOnlyList<string> VersionCommand => ["casync", "--version"];

    internal override string How =>
        "casync make and extract with a local chunk store, its encoder cache on (--cache), the rest as it comes. "
        + "Does not sync; the time of a syncfs after it is added.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string store = $"--store={arena.At("store.castr")}", index = arena.At("tree.caidx");
        string[] make = ["casync", "make", store, $"--cache={arena.At("cache")}", index, arena.Tree];
        yield return Step.Prepare(PlainWorks, "mkdir", arena.At("cache"));
        yield return new Step(Work.First, "casync make", make) { NeededFor = [Work.Recommit, Work.Checkout, Work.Gc, Work.Ls] };
        yield return new Step(Work.Recommit, "casync make", make);
        yield return new Step(Work.Checkout, "casync extract", "casync", "extract", store, index, arena.At("r0"));
        yield return new Step(Work.Gc, "casync gc", "casync", "gc", store, index);
        yield return new Step(Work.Ls, "casync list", "casync", "list", "--recursive=yes", store, index);
    }
}

/// <summary>borg is a backup program.</summary>
internal sealed class Borg : Contestant
{
    internal override string Name => "borg";

    internal override IReadOnlyList<string> VersionCommand => ["borg", "--version"];

    internal override string How =>
        "A repository without encryption, lz4 as it comes, its caches on the timed filesystem. "
        + "Syncs its segments by itself; an extract is not synced: the time of a syncfs after it is added.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string repository = arena.At("repo");
        string[] borg = Run(arena, arena.Place), fromTree = Run(arena, arena.Tree);
        yield return Step.Prepare(PlainWorks, [.. borg, "init", "-e", "none", repository]);
        yield return new Step(Work.First, "borg create", [.. fromTree, "create", $"{repository}::first", "."]) { NeededFor = PlainWorks };
        yield return new Step(Work.Recommit, "borg create", [.. fromTree, "create", $"{repository}::again", "."]);
        yield return Step.Prepare([Work.Checkout], "mkdir", arena.At("r0"));
        yield return new Step(Work.Checkout, "borg extract", [.. Run(arena, arena.At("r0")), "extract", $"{repository}::first"]);
        yield return Step.Prepare([Work.Diff], [.. Run(arena, arena.Changed), "create", $"{repository}::changed", "."]);
        yield return new Step(Work.Diff, "borg diff", [.. borg, "diff", $"{repository}::first", "changed"]);
        yield return new Step(Work.Ls, "borg list", [.. borg, "list", $"{repository}::first"]);
        yield return new Step(Work.Du, "borg info", [.. borg, "info", $"{repository}::first"]);
        yield return new Step(Work.Gc, "borg compact", [.. borg, "compact", repository]);
        yield return new Step(Work.Fsck, "borg check --verify-data", [.. borg, "check", "--verify-data", repository]);
    }

    private static string[] Run(Arena arena, string directory) =>
        ["env", "-C", directory, $"BORG_BASE_DIR={arena.At("borg")}", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", "borg"];
}

/// <summary>restic is a backup program.</summary>
internal sealed class Restic : Contestant
{
    internal override string Name => "restic";

    internal override IReadOnlyList<string> VersionCommand => ["restic", "version"];

    internal override string How =>
        "A local repository (restic always encrypts), its cache on the timed filesystem. "
        + "Syncs each pack by itself; a restore is not synced: the time of a syncfs after it is added. "
        + "Its diff takes snapshot ids, which have to be looked up, so it is left out.";

    internal override IEnumerable<Step> Steps(Arena arena)
    {
        string repository = $"RESTIC_REPOSITORY={arena.At("repo")}", cache = $"RESTIC_CACHE_DIR={arena.At("cache")}";
        string[] restic = ["env", "RESTIC_PASSWORD=bench", repository, cache, "restic", "-q"];
        yield return Step.Prepare(PlainWorks, [.. restic, "init"]);
        yield return new Step(Work.First, "restic backup", [.. restic, "backup", arena.Tree]) { NeededFor = PlainWorks };
        yield return new Step(Work.Recommit, "restic backup", [.. restic, "backup", arena.Tree]);
        yield return new Step(Work.Checkout, "restic restore", [.. restic, "restore", "latest", "--target", arena.At("r0")]);
        yield return new Step(Work.Ls, "restic ls", [.. restic, "ls", "latest"]);
        yield return new Step(Work.Du, "restic stats", [.. restic, "stats", "--mode", "raw-data"]);
        yield return new Step(Work.Gc, "restic prune", [.. restic, "prune"]);
        yield return new Step(Work.Fsck, "restic check --read-data", [.. restic, "check", "--read-data"]);
    }
}
