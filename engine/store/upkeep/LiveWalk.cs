using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Called for each regular file of a live tree; the entry is valid during the call.</summary>
internal delegate void LiveFileVisitor(LiveWalk walk, in TreeEntry entry);

/// <summary>Called for a commit or tree that is needed and cannot be read; the walk goes on beside it.</summary>
internal delegate void LiveFaultHandler(LiveWalk walk, PackedKind kind, Digest digest, Exception fault);

/// <summary>
/// Walks what given commits need, each commit and each distinct tree once however many share it, so that the cost
/// follows what differs between them. More can be added later: what was walked is remembered. Not thread-safe.
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

    /// <summary>Without <paramref name="onFault"/>, what cannot be read ends the walk with its exception.</summary>
    internal LiveWalk(Packs packs, LiveFileVisitor onFile, LiveFaultHandler? onFault, CancellationToken stop)
    {
        this.packs = packs;
        this.onFile = onFile;
        this.onFault = onFault;
        this.stop = stop;
    }

    internal int TreeCount => trees.Count;

    internal int CommitCount => commits.Count;

    /// <summary>Whether what a pack holds under a digest is needed by what was added.</summary>
    internal bool IsLive(PackedKind kind, Digest digest) =>
        kind == PackedKind.Tree ? trees.Contains(digest) : commits.ContainsKey(digest);

    /// <summary>
    /// Walks a commit, which must be there, and its ancestors of <paramref name="generations"/> generations. An ancestor
    /// that is not in the store ends its line without a fault: histories may be cut (gc --depth).
    /// </summary>
    /// <param name="commit">The commit.</param>
    /// <param name="heldBy">The ref or root that holds it.</param>
    /// <param name="generations">How far to follow parents; <see cref="int.MaxValue"/> for all the way.</param>
    internal void Add(Digest commit, Holder heldBy, int generations)
    {
        (holder, holderCommit) = (heldBy, commit);
        var waiting = new Queue<(Digest Commit, int Generations)>();
        waiting.Enqueue((commit, generations));
        while (waiting.TryDequeue(out (Digest Commit, int Generations) next))
        {
            // A commit reached again from nearer has more ancestors to keep.
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

    /// <summary>Who needs the name in the directory that is being walked, or the directory itself where the name is empty.</summary>
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
            // One that cannot be read is remembered too: it is said once.
            trees.Add(digest);
        }

        return true;
    }
}
