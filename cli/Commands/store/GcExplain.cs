using System.Text.Json;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>gc --explain: says who holds a thing, or that nothing does.</summary>
internal sealed class GcExplain
{
    private const int MostHolders = 5;

    private readonly ObjectStore store;
    private readonly NamedThing named;
    private readonly IReadOnlyList<string> surplus;
    private readonly IReadOnlyList<Holding> holdings;
    private readonly Dictionary<string, string> states;

    /// <summary>Finds who holds what <paramref name="text"/> names, as gc with these options sees it.</summary>
    internal GcExplain(ObjectStore store, string text, CollectOptions options)
    {
        this.store = store;
        named = NamedThing.Find(store, text);
        surplus = [.. options.WithoutRoots];
        holdings = Explanation.Find(store, named.Thing, options);
        states = StatesOf(store);
    }

    private bool IsRootKept => named.Root is { } root && !surplus.Contains(root);

    private bool IsHeld => named.Root is null ? holdings.Count > 0 : IsRootKept;

    internal void Print()
    {
        Session.Output.WriteLine($"{What()}: {(IsHeld ? Why() : "nothing holds it, gc would remove it")}");
        if (named.Root is not null && holdings.Count > 0)
        {
            Session.Output.WriteLine($"its commit {CommitText.Short(((HeldThing.OfCommit)named.Thing).Digest)} is held by");
        }

        foreach (IGrouping<HolderKind, Holding> kind in holdings.GroupBy(holding => holding.Holder.Kind))
        {
            foreach (Holding holding in kind.Take(MostHolders))
            {
                Session.Output.WriteLine($"  {KindOf(holding.Holder)} {CommitText.Line(holding.Holder.Name)}{Details(holding)}");
            }

            if (kind.Count() > MostHolders)
            {
                Session.Output.WriteLine($"  and {HumanText.Count(kind.Count() - MostHolders, $"more {KindOf(kind.First().Holder)}")}");
            }
        }

        if (holdings.Count == 0
            && named.Thing is HeldThing.OfObject { Name: var name }
            && store.Blobs.TryStat(name, out FileStatus status)
            && status.LinkCount > 1)
        {
            string names = HumanText.Count(status.LinkCount - 1, "name");
            Session.Output.WriteLine($"its content lives on in directories outside the store, which have {names} of it");
        }
    }

    internal void WriteJson() => JsonText.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("kind", KindOfThing());
        writer.WriteString("name", NameOfThing());
        writer.WriteBoolean("held", IsHeld);
        writer.WriteString("state", named.Root is { } root ? states.GetValueOrDefault(root) : null);
        writer.WriteStartArray("holders");
        foreach (Holding holding in holdings)
        {
            WriteHolding(writer, holding, holding.Holder.Kind == HolderKind.Root ? states.GetValueOrDefault(holding.Holder.Name) : null);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    /// <summary>Writes a ref or root that holds something; <paramref name="state"/> is what is known of the root.</summary>
    internal static void WriteHolding(Utf8JsonWriter writer, Holding holding, string? state = null)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", KindOf(holding.Holder));
        writer.WriteString("name", holding.Holder.Name);
        writer.WriteString("state", state);
        writer.WriteDigest("commit", holding.Commit);
        writer.WriteNumber("generations", holding.Generations);
        writer.WriteNumber("commits", holding.Commits);
        writer.WriteNumber("pathCount", holding.PathCount);
        writer.WriteStrings("paths", holding.Paths.Select(path => ByteText.Quote(path.Span)));
        writer.EndItem();
    }

    private string What() => $"{KindOfThing()} {CommitText.Line(NameOfThing())}";

    private string KindOfThing() => named switch
    {
        { Root: not null } => "root",
        { Thing: HeldThing.OfCommit } => "commit",
        { Thing: HeldThing.OfTree } => "tree",
        { Thing: HeldThing.OfObject } => "object",
        _ => "content",
    };

    private string NameOfThing() => named.Root ?? named.Thing switch
    {
        HeldThing.OfCommit commit => commit.Digest.ToString(),
        HeldThing.OfTree tree => tree.Digest.ToString(),
        HeldThing.OfContent content => content.Digest.ToString(),
        HeldThing.OfObject found => found.Name.ToString(),
        _ => "",
    };

    private string Why() => named.Root switch
    {
        null => "held by",
        { } root when !states.TryGetValue(root, out string? state) => "gc keeps every root",
        { } root when states[root] == RootStatus.Spare => "spare; gc keeps it, and gc --keep N keeps the N newest spare roots",
        { } root => $"{states[root]}; gc keeps it, with any --keep",
    };

    private static string KindOf(Holder holder) => holder.Kind switch
    {
        HolderKind.Ref => "ref",
        HolderKind.Root => "root",
        HolderKind.Image => "image",
        _ => "pack",
    };

    private string Details(Holding holding)
    {
        string state = holding.Holder.Kind == HolderKind.Root && states.TryGetValue(holding.Holder.Name, out string? known) ? $" ({known})" : "";
        string where = holding.Generations == 0 ? ""
            : $", {HumanText.Count(holding.Generations, "generation")} back in {CommitText.Short(holding.Commit)}";
        string often = holding.Commits > 1 ? $", in {HumanText.Count(holding.Commits, "commit")}" : "";
        return named.Thing is HeldThing.OfCommit ? $"{state}{where}" : $"{state}{where}{often}: {PathsOf(holding)}";
    }

    private static string PathsOf(Holding holding)
    {
        string paths = string.Join(", ", holding.Paths.Select(path => path.IsEmpty ? "/" : ByteText.Quote(path.Span)));
        long more = holding.PathCount - holding.Paths.Count;
        return more > 0 ? $"{paths} and {HumanText.Count(more, "more path")}" : paths;
    }

    /// <summary>What the boot loader thinks of each root, by the name of its record; without a boot loader, which are pinned and running.</summary>
    private static Dictionary<string, string> StatesOf(ObjectStore store)
    {
        var states = new Dictionary<string, string>();
        var roots = new BootableRoots(store);
        Dictionary<string, RootStatus> booted = BootChoice.TryRead(roots.Physical) is { } choice
            ? RootStatus.All(roots, choice).ToDictionary(status => roots.PathOf(status.Name))
            : [];
        RootRecord? running = RunningRoot.RecordOf(store, "/");
        foreach ((string name, RootRecord record) in store.Roots.Finished())
        {
            if (booted.TryGetValue(store.Roots.AbsolutePath(record), out RootStatus? status) && record.OwnsEtc)
            {
                states.Add(name, status.Words);
            }
            else if (record == running || record.State == RootState.Pinned)
            {
                string[] words = [record == running ? "running" : "", record.State == RootState.Pinned ? "pinned" : ""];
                states.Add(name, string.Join(", ", words.Where(word => word != "")));
            }
        }

        return states;
    }
}
