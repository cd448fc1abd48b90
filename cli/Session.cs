using System.CommandLine;
using System.CommandLine.Parsing;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>One run of a command: its arguments, its store, and where it prints.</summary>
internal sealed class Session(ParseResult parse)
{
    private static readonly string[] Places = ["objects", "/objects", "/sysroot/objects"];

    internal static StandardOutput Output => StandardOutput.Instance;

    /// <summary>Whether the command is to stop.</summary>
    internal static CancellationToken Stop => StopSignals.Token;

    /// <summary>Whether the command writes to a store, from which gc may free space.</summary>
    internal static bool HasStore { get; private set; }

    internal bool IsQuiet => parse.GetValue(CommandTree.Quiet);

    internal bool IsStoreOption => parse.GetResult(CommandTree.Store) is not null;

    internal T? Get<T>(Option<T> option) => parse.GetValue(option);

    internal T Get<T>(Argument<T> argument) => parse.GetValue(argument)!;

    /// <summary>The values of some options that may be repeated, in the order of the command line.</summary>
    internal IReadOnlyList<(Option<string[]> Option, string Value)> InOrder(params Option<string[]>[] options)
    {
        var found = new List<(Option<string[]>, string)>();
        for (int i = 0; i + 1 < parse.Tokens.Count; i++)
        {
            Token token = parse.Tokens[i];
            if (token.Type == TokenType.Option && Array.Find(options, option => option.Name == token.Value) is { } option)
            {
                found.Add((option, parse.Tokens[i + 1].Value));
            }
        }

        return found;
    }

    /// <summary>Prints a sentence on standard error, if there is one and --quiet is not given.</summary>
    internal void Note(string? sentence)
    {
        if (!IsQuiet && sentence is not null)
        {
            Failure.Say(sentence);
        }
    }

    /// <summary>Says whom the command waits for.</summary>
    private void NoteWait(LockWait wait) => Note(WaitText.Of(wait));

    /// <summary>Shows progress on a terminal until it is disposed of.</summary>
    internal ProgressLine? Show(string what, Progress progress) => ProgressLine.Start(what, progress, IsQuiet);

    /// <summary>The store that --store or HACKTREE_STORE names; null for none.</summary>
    internal string? GivenStore()
    {
        if (parse.GetValue(CommandTree.Store) is { } given)
        {
            return given;
        }

        return Environment.GetEnvironmentVariable("HACKTREE_STORE") is { Length: > 0 } named ? named : null;
    }

    /// <summary>Opens the store that was named. If none was named, opens the first store in the usual places. Mounts nothing.</summary>
    internal ObjectStore OpenStore() => ObjectStore.Open(GivenStore() ?? FindStore() ?? throw NoStore(), NoteWait, Stop);

    /// <summary>Opens the store as <see cref="OpenStore"/> does, but throws <see cref="StoreException"/> where another process must be waited for.</summary>
    internal ObjectStore OpenStoreAtOnce() =>
        ObjectStore.Open(GivenStore() ?? FindStore() ?? throw NoStore(), wait => throw new StoreException(WaitText.Of(wait)), Stop);

    /// <summary>Opens the store to write to it. Mounts the physical root if the store is there and the running root does not show it.</summary>
    internal ObjectStore OpenStoreToWrite()
    {
        ObjectStore store = ObjectStore.OpenToWrite(GivenStore() ?? FindStore() ?? MountStore() ?? throw NoStore(), NoteWait, Stop);
        HasStore = true;
        store.OnDoubt = () => Note("an earlier command was cut short, so all that this one relies on is read again; `hacktree gc` puts an end to that");
        return store;
    }

    private static string? FindStore() => ObjectStore.IsCertainlyStore(".") ? "." : Array.Find(Places, ObjectStore.IsStore);

    private string? MountStore()
    {
        if (PhysicalRoot.FindHiddenDevice() is not { } device || !PhysicalRoot.TryMount(device))
        {
            return null;
        }

        Note($"mounted the physical root at {PhysicalRoot.Place}");
        return $"{PhysicalRoot.Place}/objects";
    }

    private static StoreException NoStore()
    {
        CurrentDirectory.RequireFor("./objects");
        return new(PhysicalRoot.FindHiddenDevice() is { } device
            ? $"the store is not to be seen in this root; show it with `mkdir -p {PhysicalRoot.Place} && mount {device} {PhysicalRoot.Place}`, "
                + "or name one with --store"
            : "there is no store in ./, ./objects, /objects or /sysroot/objects; make one with `hacktree init`, or name one with --store");
    }

    /// <summary>A path inside a tree in the library's form: without slashes at its ends.</summary>
    internal static byte[] TreePath(string path) => ByteText.FromArgument(path.Trim('/'));
}
