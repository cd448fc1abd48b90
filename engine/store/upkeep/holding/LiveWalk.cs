using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Called for each regular file of a live tree. The entry is valid during the call.</summary>
internal delegate void LiveFileVisitor(LiveWalk walk, in TreeEntry entry);

/// <summary>Called for a needed commit or tree that cannot be read. The walk goes on with the others.</summary>
internal delegate void LiveFaultHandler(LiveWalk walk, PackedKind kind, Digest digest, Exception fault);

/// <summary>
/// Walks everything that the given commits need. Each commit and each distinct tree is walked once, however many commits share it, so the
/// cost depends on what differs between them. More commits can be added later; what was walked is remembered. Not thread-safe.
/// </summary>
internal sealed class LiveWalk
{
    private readonly Packs packs;
    private readonly LiveFileVisitor onFile;
    private readonly LiveFaultHandler? onFault;
    private readonly CancellationToken stop;
    private readonly HashSet<Digest> trees = [];
    private readonly Dictionary<Digest, int> commits = [];
    private readonly PathBuffer directory = new();
    private Holder holder;
    private Digest holderCommit;
    private Digest current;

    /// <summary>Makes a walk. Without <paramref name="onFault"/>, something that cannot be read ends the walk with its exception.</summary>
    internal LiveWalk(Packs packs, LiveFileVisitor onFile, LiveFaultHandler? onFault, CancellationToken stop)
    {
        this.packs = packs;
        this.onFile = onFile;
        this.onFault = onFault;
        this.stop = stop;
    }

    internal int TreeCount => trees.Count;

    /// <summary>All trees and commits that were needed, also those trees that could not be read.</summary>
    internal IEnumerable<(PackedKind Kind, Digest Digest)> All =>
        commits.Keys.Select(commit => (PackedKind.Commit, commit)).Concat(trees.Select(tree => (PackedKind.Tree, tree)));

    internal int CommitCount => commits.Count;

    /// <summary>Whether the added commits need the tree or commit with this digest.</summary>
    internal bool IsLive(PackedKind kind, Digest digest) =>
        kind == PackedKind.Tree ? trees.Contains(digest) : commits.ContainsKey(digest);

    /// <summary>
    /// Walks a commit, which must exist, and its ancestors of <paramref name="generations"/> generations. A missing ancestor ends its line
    /// without a fault, because histories may be cut (gc --depth).
    /// </summary>
    /// <param name="commit">The commit.</param>
    /// <param name="heldBy">The ref or root that holds it.</param>
    /// <param name="generations">The number of generations of parents to follow; <see cref="int.MaxValue"/> for all.</param>
    internal void Add(Digest commit, Holder heldBy, int generations)
    {
        (holder, holderCommit) = (heldBy, commit);
        var waiting = new Queue<(Digest Commit, int Generations)>();
        waiting.Enqueue((commit, generations));
        while (waiting.TryDequeue(out (Digest Commit, int Generations) next))
        {
            // A commit that is reached again by a shorter way has more ancestors to keep.
            bool isKnown = commits.TryGetValue(next.Commit, out int walked);
            if ((isKnown && walked >= next.Generations) || !TryReadCommit(next.Commit, out Commit? read))
            {
                continue;
            }

            commits[next.Commit] = next.Generations;
            if (!isKnown)
            {
                VisitTree(read!.Tree);
            }

            for (int i = 0; next.Generations > 0 && i < read!.Parents.Length; i++)
            {
                waiting.Enqueue((read.Parents[i], next.Generations == int.MaxValue ? int.MaxValue : next.Generations - 1));
            }
        }
    }

    /// <summary>Walks a tree, which must exist, although no commit that was added needs it.</summary>
    internal void AddTree(Digest tree, Holder heldBy)
    {
        (holder, holderCommit, current) = (heldBy, default, default);
        VisitTree(tree);
    }

    /// <summary>Who needs the name in the directory that is being walked; with an empty name, who needs the directory.</summary>
    internal Need NeedOf(ReadOnlySpan<byte> name)
    {
        int before = directory.Bytes.Length;
        if (!name.IsEmpty)
        {
            directory.Push(name);
        }

        byte[] path = directory.Bytes.ToArray();
        directory.Cut(before);
        return new Need(holder, current == holderCommit ? default : current, path);
    }

    private bool TryReadCommit(Digest digest, out Commit? commit)
    {
        current = digest;
        commit = null;
        try
        {
            commit = digest == holderCommit ? packs.ReadCommit(digest) : packs.TryReadCommit(digest, out Commit? found) ? found : null;
            return commit is not null;
        }
        catch (Exception e) when (onFault is not null && e is CorruptException or LinuxException)
        {
            onFault!(this, PackedKind.Commit, digest, e);
            return false;
        }
    }

    private void VisitTree(Digest root)
    {
        directory.Cut(0);
        if (!TryEnter(root, out TreeCursor cursor))
        {
            return;
        }

        var above = new Stack<(TreeCursor Cursor, int PathLength)>();
        int pathLength = 0;
        while (true)
        {
            if (!cursor.Next(out TreeEntry entry))
            {
                directory.Cut(pathLength);
                if (!above.TryPop(out (TreeCursor, int) outer))
                {
                    return;
                }

                (cursor, pathLength) = outer;
            }
            else if (entry.Kind == EntryKind.Regular)
            {
                onFile(this, entry);
            }
            else if (entry.IsDirectory && !trees.Contains(entry.Digest))
            {
                int before = directory.Push(entry.Name);
                if (TryEnter(entry.Digest, out TreeCursor inner))
                {
                    above.Push((cursor, pathLength));
                    (cursor, pathLength) = (inner, before);
                }
                else
                {
                    directory.Cut(before);
                }
            }
        }
    }

    private bool TryEnter(Digest digest, out TreeCursor cursor)
    {
        cursor = default;
        stop.ThrowIfCancellationRequested();
        if (trees.Contains(digest))
        {
            return false;
        }

        try
        {
            cursor = new TreeCursor(packs.ReadTree(digest));
        }
        catch (Exception e) when (onFault is not null && e is CorruptException or LinuxException)
        {
            onFault!(this, PackedKind.Tree, digest, e);
            return false;
        }
        finally
        {
            // A tree that cannot be read is remembered too, so that it is reported once.
            trees.Add(digest);
        }

        return true;
    }
}
