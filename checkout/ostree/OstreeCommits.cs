using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Commits of OSTree to take.</summary>
/// <param name="Repository">The repository's directory.</param>
/// <param name="Revision">A ref there, "REMOTE:REF", or a checksum.</param>
/// <param name="Depth">How many generations of ancestors are taken too, as far as they are there.</param>
public sealed record OstreeSource(string Repository, string Revision, int Depth);

/// <summary>The result of taking commits of OSTree.</summary>
/// <param name="Commit">The newest.</param>
/// <param name="Taken">How many were taken; 0 if the ref named the newest already.</param>
/// <param name="Notes">One sentence for each kind of thing that was left out.</param>
public sealed record OstreeResult(Digest Commit, int Taken, IReadOnlyList<string> Notes);

/// <summary>
/// Makes commits of commits of OSTree. Each keeps its time, subject, body and texts, and has the annotation <see cref="ChecksumKey"/>. If the ref
/// names a commit that was made of an ancestor, only the commits after that are taken.
/// </summary>
public static class OstreeCommits
{
    /// <summary>The annotation that has the checksum of the commit of OSTree.</summary>
    public const string ChecksumKey = "ostree.commit";

    // Every commit of OSTree has this: the ref that it was made for.
    private const string RefBinding = "ostree.ref-binding";

    private const int MostKeysShown = 5;

    /// <summary>
    /// Takes commits. <paramref name="request"/> gives the ref, the parent and annotations to add; its message and time are not used. Throws
    /// <see cref="StoreException"/> for a repository or an object that is not what it should be.
    /// </summary>
    public static OstreeResult Run(ObjectStore store, OstreeSource source, CommitRequest request, ImportOptions options)
    {
        using OstreeRepository repository = OstreeRepository.Open(source.Repository);
        Digest named = request.Ref is { } name ? store.Refs.Find(name) : default;
        Digest last = LastTaken(store, named);
        Digest newest = repository.Resolve(source.Revision);
        if (newest == last && request.Parent.IsNone)
        {
            return new OstreeResult(named, 0, []);
        }

        List<OstreeCommit> history = History(repository, newest, source.Depth, last);
        using var additions = new Additions(store);
        var import = new OstreeImport(additions, repository, options);
        var leftOut = new SortedSet<string>(StringComparer.Ordinal);
        Digest parent = request.Parent;
        for (int i = history.Count - 1; i > 0; i--)
        {
            // The ref's own commit is the parent of the oldest.
            Digest before = parent.IsNone && i == history.Count - 1 ? named : parent;
            parent = additions.Pack.Add(Describe(import.Run(history[i]), history[i], request, leftOut).AsChildOf(before));
        }

        ImportResult tree = import.Run(history[0]);
        Digest made = Committer.Publish(additions, tree, Describe(tree, history[0], request, leftOut), request with { Parent = parent });
        return new OstreeResult(made, history.Count, NotesOf(leftOut));
    }

    /// <summary>The commit of OSTree that a commit was made of; none if it was made of something else.</summary>
    private static Digest LastTaken(ObjectStore store, Digest commit) =>
        !commit.IsNone && store.Packs.TryReadCommit(commit, out Commit? read)
        && read.Annotations.TryGetValue(ChecksumKey, out string? text) && Digest.TryParse(text, out Digest checksum) ? checksum : default;

    /// <summary>The commits to take, newest first. A repository may have only the newest commits of a history.</summary>
    private static List<OstreeCommit> History(OstreeRepository repository, Digest newest, int depth, Digest last)
    {
        var history = new List<OstreeCommit> { repository.ReadCommit(newest) };
        while (history.Count <= depth && history[^1].Parent is { IsNone: false } parent && parent != last && repository.HasCommit(parent))
        {
            history.Add(repository.ReadCommit(parent));
        }

        return history;
    }

    private static Commit Describe(ImportResult tree, OstreeCommit commit, CommitRequest request, SortedSet<string> leftOut)
    {
        var annotations = Commit.NoAnnotations.ToBuilder();
        foreach ((string key, string value) in commit.Texts)
        {
            string text = value.TrimEnd('\n');
            if (Commit.IsAnnotationKey(key) && Commit.IsLine(text))
            {
                annotations[key] = text;
            }
            else
            {
                leftOut.Add(key);
            }
        }

        leftOut.UnionWith(commit.Others.Where(key => key != RefBinding));
        foreach ((string key, string value) in request.Annotations)
        {
            annotations[key] = value;
        }

        annotations[ChecksumKey] = commit.Checksum.ToString();
        (string subject, string body) = MessageOf(commit);
        return tree.AsCommit(commit.Time) with { Subject = subject, Body = body, Annotations = annotations.ToImmutable() };
    }

    /// <summary>The subject is one line here. What follows the first line there begins the body.</summary>
    private static (string Subject, string Body) MessageOf(OstreeCommit commit)
    {
        string subject = commit.Subject.ReplaceLineEndings("\n");
        int end = subject.IndexOf('\n', StringComparison.Ordinal);
        string rest = end < 0 ? "" : subject[(end + 1)..].TrimStart('\n');
        string body = rest.Length == 0 ? commit.Body : commit.Body.Length == 0 ? rest : $"{rest}\n\n{commit.Body}";
        return (end < 0 ? subject : subject[..end], body);
    }

    private static string[] NotesOf(SortedSet<string> leftOut)
    {
        if (leftOut.Count == 0)
        {
            return [];
        }

        IEnumerable<string> shown = leftOut.Take(MostKeysShown).Select(key => ByteText.Quote(Encoding.UTF8.GetBytes(key)));
        return [$"metadata that is no line of text was left out: {string.Join(", ", shown)}{(leftOut.Count > MostKeysShown ? ", ..." : "")}"];
    }
}
