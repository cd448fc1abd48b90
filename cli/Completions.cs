using System.CommandLine;
using System.CommandLine.Completions;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>
/// What a shell offers for a commit, for a path in one, and for a root. Without a store, and while gc has
/// the store alone, it offers nothing, and prints no error.
/// </summary>
internal static class Completions
{
    /// <summary>The word to complete. The line is parsed without it.</summary>
    internal static string Word { get; set; } = "";

    /// <summary>The refs and aliases of the store that the line names.</summary>
    internal static IEnumerable<CompletionItem> Refs(CompletionContext context) =>
        Ask(context, store => store.Refs.Names());

    /// <summary>Completes an argument with the names of roots.</summary>
    internal static T WithRoots<T>(T argument)
        where T : Argument
    {
        argument.CompletionSources.Add(context => Ask(context, store => store.Roots.Names().Where(name => !Roots.IsPartial(name))));
        return argument;
    }

    /// <summary>The paths of the roots of the store that the line names.</summary>
    internal static IEnumerable<CompletionItem> RootPaths(CompletionContext context) => Ask(context, store =>
        store.Roots.Finished().Select(root => store.Roots.AbsolutePath(root.Record)));

    /// <summary>Whether the line has a word for the argument already, so that the word to complete belongs to another argument.</summary>
    internal static bool IsGiven(CompletionContext context, Argument argument) =>
        context.ParseResult.GetResult(argument) is { } result && result.Tokens.Any(token => token.Value.Length > 0);

    /// <summary>The paths in a commit that begin with the word. A directory ends in '/'.</summary>
    internal static IEnumerable<CompletionItem> Paths(CompletionContext context, Argument<string> revision) => Ask(context, store =>
    {
        var paths = new List<string>();
        string directory = Word[..(Word.LastIndexOf('/') + 1)];
        Commit commit = store.Packs.ReadCommit(Revision.Resolve(store, context.ParseResult.GetValue(revision) ?? ""));
        if (TreeWalk.TryFind(store.Packs, commit, Session.TreePath(directory), out TreeEntry entry) && entry.IsDirectory)
        {
            foreach (TreeEntry child in store.Packs.ReadTree(entry.Digest))
            {
                // Each line of the answer is a name. Names with a newline, and names that are not UTF-8, are left out.
                if (ByteText.IsUtf8(child.Name) && child.Name.IndexOf((byte)'\n') < 0)
                {
                    paths.Add($"{directory}{Encoding.UTF8.GetString(child.Name)}{(child.IsDirectory ? "/" : "")}");
                }
            }
        }

        return paths;
    });

    private static IEnumerable<CompletionItem> Ask(CompletionContext context, Func<ObjectStore, IEnumerable<string>> question)
    {
        try
        {
            using ObjectStore store = new Session(context.ParseResult).OpenStoreAtOnce();
            return [.. question(store).Select(answer => new CompletionItem(answer))];
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            return [];
        }
    }
}
