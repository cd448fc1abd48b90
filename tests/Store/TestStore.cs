using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

/// <summary>
/// A store in a directory of its own, filled through the store's own API: a tree is a list of "path=content". It keeps
/// owners where root runs the tests, and is a user's store where somebody else does.
/// </summary>
internal sealed class TestStore : IDisposable
{
    private readonly TempDirectory directory;

    public TestStore(string? parent = null)
    {
        directory = new TempDirectory(parent);
        ObjectStore.Create(Path, new StoreFormat { UserMode = !Sys.IsRoot });
    }

    public static FileMetadata Metadata { get; } = new(0x1A4, 0, 0, 1_700_000_000);

    public string Path => At("objects");

    /// <summary>A path in the physical root, beside the store.</summary>
    public string At(string name) => directory.At(name);

    public ObjectStore Open(Action<LockWait>? onWait = null) => ObjectStore.Open(Path, onWait);

    /// <summary>Commits a tree to a ref with the ref's commit as parent, in a pack of its own.</summary>
    public Digest Commit(string refName, params string[] files)
    {
        using ObjectStore store = Open();
        return Commit(store, refName, files);
    }

    public static Digest Commit(ObjectStore store, string? refName, params string[] files)
    {
        Digest parent = refName is null ? default : store.Refs.Find(refName);
        using var additions = new Additions(store);
        Digest commit = Add(additions, parent.IsNone ? [] : [parent], files);
        additions.Publish();
        if (refName is not null)
        {
            SetRef(store, refName, commit, "commit");
        }

        return commit;
    }

    /// <summary>Sets a ref to a digest that need not be a commit's.</summary>
    public static void SetRef(ObjectStore store, string name, Digest commit, string why = "")
    {
        using var turn = RefTurn.Take(store);
        turn.Set(name, new DurableCommit(commit), why);
    }

    public static void DeleteRef(ObjectStore store, string name)
    {
        using var turn = RefTurn.Take(store);
        turn.Delete(name);
    }

    /// <summary>Adds a commit and its objects.</summary>
    public static Digest Add(Additions additions, Digest[] parents, params string[] files)
    {
        var commit = new Commit
        {
            Tree = AddTree(additions, [.. files.Select(Split)]),
            RootMetadata = Metadata with { Mode = 0x1ED },
            Parents = [.. parents],
            Time = 1_700_000_000 + parents.Length,
            Files = files.Length,
            ContentBytes = files.Sum(file => Split(file).Content.Length),
            Subject = files.Length == 0 ? "" : files[0],
        };
        return additions.Pack.Add(commit);
    }

    public void DeleteRef(string name)
    {
        using ObjectStore store = Open();
        DeleteRef(store, name);
    }

    public CollectResult Collect(CollectOptions? options = null, Action<LockWait>? onWait = null)
    {
        using ObjectStore store = Open(onWait);
        return HackTree.Store.Collect.Run(store, options ?? new CollectOptions());
    }

    public List<Finding> Check() => Check(out _);

    public List<Finding> Check(out CheckResult result)
    {
        using ObjectStore store = Open();
        var problems = new List<Finding>();
        result = HackTree.Store.Check.Run(store, problems.Add, null);
        Assert.Equal(problems.Count, result.Problems);
        return problems;
    }

    /// <summary>The contents of a commit's files by path, read back and compared with their digests.</summary>
    public static SortedDictionary<string, string> Read(ObjectStore store, Digest commit)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        TreeWalk.Visit(store.Packs, store.Packs.ReadCommit(commit).Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            if (entry.Kind == EntryKind.Regular)
            {
                using SafeFileHandle file = store.Blobs.Open(entry, entry.Digest, out _);
                byte[] content = new byte[entry.Size];
                Assert.Equal(Errno.None, Sys.ReadAt(file, content, 0, out int count));
                Assert.Equal(entry.Size, count);
                Assert.Equal(entry.Digest, Verity.Compute(content));
                files.Add(path.ToString(), Encoding.UTF8.GetString(content));
            }

            return true;
        });
        return files;
    }

    /// <summary>Paths below the store of everything under a room, sorted.</summary>
    public List<string> Files(string room) =>
        [.. Directory.EnumerateFiles(System.IO.Path.Combine(Path, room), "*", SearchOption.AllDirectories)
            .Select(path => System.IO.Path.GetRelativePath(Path, path)).Order(StringComparer.Ordinal)];

    /// <summary>Everything in the physical root that a command could change, one line for each name.</summary>
    public List<string> Snapshot() =>
        [.. Directory.EnumerateFileSystemEntries(directory.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(Line)];

    /// <summary>Changes bytes of a file and nothing else: mode and time stay.</summary>
    public void Change(string file, Action<byte[]> change)
    {
        byte[] path = Encoding.UTF8.GetBytes(System.IO.Path.Combine(Path, file));
        Assert.Equal(Errno.None, Sys.Stat(Sys.WorkingDirectory, path, out FileStatus status));
        byte[] bytes = File.ReadAllBytes(System.IO.Path.Combine(Path, file));
        change(bytes);
        Assert.Equal(Errno.None, Sys.SetMode(Sys.WorkingDirectory, path, 0x180));
        Assert.Equal(Errno.None, Sys.Open(Sys.WorkingDirectory, path, OpenFlags.WriteOnly, out SafeFileHandle opened));
        using (opened)
        {
            Assert.Equal(Errno.None, Sys.WriteAt(opened, bytes, 0));
            Assert.Equal(Errno.None, Sys.Truncate(opened, bytes.Length));
            Assert.Equal(Errno.None, Sys.SetTime(opened, status.ModifyTime.Seconds));
        }

        Assert.Equal(Errno.None, Sys.SetMode(Sys.WorkingDirectory, path, status.Mode));
    }

    public void Dispose() => directory.Dispose();

    private static Digest AddTree(Additions additions, IReadOnlyList<(string Path, string Content)> files)
    {
        var builder = new TreeBuilder();
        foreach (var group in files.GroupBy(file => file.Path.Split('/')[0]))
        {
            byte[] name = Encoding.UTF8.GetBytes(group.Key);
            (string Path, string Content) first = group.First();
            if (first.Path == group.Key)
            {
                byte[] content = Encoding.UTF8.GetBytes(first.Content);
                Digest digest = additions.AddBytes(content, Metadata, []);
                builder.Add(new TreeEntry { Kind = EntryKind.Regular, Name = name, Metadata = Metadata, Size = content.Length, Digest = digest });
            }
            else
            {
                Digest below = AddTree(additions, [.. group.Select(file => (file.Path[(group.Key.Length + 1)..], file.Content))]);
                builder.Add(new TreeEntry { Kind = EntryKind.Directory, Name = name, Metadata = Metadata with { Mode = 0x1ED }, Digest = below });
            }
        }

        Tree tree = builder.Build();
        Digest treeDigest = Tree.DigestOf(tree.Bytes);
        additions.Pack.Add(PackedKind.Tree, treeDigest, tree.Bytes);
        return treeDigest;
    }

    private static (string Path, string Content) Split(string file)
    {
        int equals = file.IndexOf('=');
        return (file[..equals], file[(equals + 1)..]);
    }

    private static string Line(string path)
    {
        Assert.Equal(Errno.None, Sys.Stat(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), out FileStatus status));
        string content = status.Type == FileType.Regular ? Digest.Of(File.ReadAllBytes(path)).ToString() : "";
        return $"{path} {status.Type} {status.Mode} {status.Inode} {status.LinkCount} {status.ModifyTime} {content}";
    }
}
