using System.CommandLine;
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

    internal bool IsQuiet => parse.GetValue(CommandTree.Quiet);

    internal bool IsStoreOption => parse.GetResult(CommandTree.Store) is not null;

    internal T? Get<T>(Option<T> option) => parse.GetValue(option);

    internal T Get<T>(Argument<T> argument) => parse.GetValue(argument)!;

    /// <summary>Prints a sentence on standard error, unless --quiet is given.</summary>
    internal void Note(string sentence)
    {
        if (!IsQuiet)
        {
            Failure.Say(sentence);
        }
    }

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

    /// <summary>Opens the store that was named. If none was named, opens the first store in the usual places.</summary>
    internal ObjectStore OpenStore() => ObjectStore.Open(GivenStore() ?? FindStore(), Note, Stop);

    internal ObjectStore OpenStoreToWrite()
    {
        ObjectStore store = OpenStore();
        try
        {
            store.RequireWritable();
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    private string FindStore()
    {
        if (ObjectStore.IsCertainlyStore("."))
        {
            return ".";
        }

        if (Array.Find(Places, ObjectStore.IsStore) is { } found)
        {
            return found;
        }

        if (PhysicalRoot.TryMount())
        {
            Note($"mounted the physical root at {PhysicalRoot.Place}");
            return $"{PhysicalRoot.Place}/objects";
        }

        throw new StoreException(
            "there is no store in ./, ./objects, /objects or /sysroot/objects; make one with `hacktree init`, or name one with --store");
    }

    /// <summary>A path inside a tree in the library's form: without slashes at its ends.</summary>
    internal static byte[] TreePath(string path) => ByteText.FromArgument(path.Trim('/'));
}
