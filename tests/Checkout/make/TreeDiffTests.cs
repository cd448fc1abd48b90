using CsCheck;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Checkout;

/// <summary>The difference of two trees is exactly what turns one into the other, and reading it reads no more than needed.</summary>
public sealed class TreeDiffTests : IDisposable
{
    private readonly StorePlace place = new();

    public void Dispose() => place.Dispose();

    [Fact]
    public void Applied_to_one_tree_it_gives_the_other() => ModelTrees.Pair.Sample(
        pair =>
        {
            (ModelTree before, ModelTree after) = pair;
            ModelTree made = before.Copied();
            List<string> seen = [];
            foreach (Change change in Diff(before, after))
            {
                seen.Add(change.Path);
                made = Apply(made, change, Find(after, change.Path));
                RequireSaid(change, Find(before, change.Path), Find(after, change.Path));
            }

            Assert.Equal(after.AsEntry(default).Digest, made.AsEntry(default).Digest);
            Assert.Equal(after.Metadata, made.Metadata);
            Assert.Equal(after.Xattrs, made.Xattrs);
            Assert.Equal(seen.Distinct(), seen);
            Assert.Equal(seen.OrderBy(path => path, PathOrder), seen);
        },
        iter: 300);

    [Fact]
    public void A_tree_does_not_differ_from_itself() => ModelTrees.Tree.Sample(tree => Assert.Empty(Diff(tree, tree.Copied())), iter: 50);

    [Fact]
    public void Every_kind_of_change_is_told()
    {
        ModelTree before = Directory(
            ("dir", Directory(("same", File("1")), ("gone", File("2")))),
            ("dir to file", Directory(("in it", File("3")))),
            ("file to link", File("4")),
            ("gone", Directory(("below", File("5")))),
            ("mode", File("6")),
            ("same", Directory(("untouched", File("7")))));
        ModelTree after = Directory(
            ("dir", Directory(("same", File("1")), ("new", File("2")))),
            ("dir to file", File("3")),
            ("file to link", new ModelTree { Kind = EntryKind.Symlink, Target = [1], Metadata = new FileMetadata(FileMetadata.SymlinkMode, 0, 0, 0) }),
            ("mode", File("6") with { Metadata = new FileMetadata(0x1ED, 0, 0, 0) }),
            ("new", Directory(("below", File("8")))),
            ("same", Directory(("untouched", File("7")))));
        string[] expected =
        [
            "Removed dir/gone", "Added dir/new", "TypeChanged dir to file", "Removed dir to file/in it", "TypeChanged file to link",
            "Removed gone", "Removed gone/below", "Modified mode", "Added new", "Added new/below",
        ];
        Assert.Equal(expected, Diff(before, after).Select(change => $"{change.Kind} {change.Path}"));
    }

    /// <summary>A change, with copies of the visitor's arguments.</summary>
    private sealed record Change(ChangeKind Kind, string Path, ModelTree? Before, ModelTree? After);

    // A directory comes right before its entries, names in order, because '/' sorts before every other byte of a path.
    private static readonly Comparer<string> PathOrder = Comparer<string>.Create((x, y) => string.CompareOrdinal(x.Replace('/', '\0'), y.Replace('/', '\0')));

    private List<Change> Diff(ModelTree before, ModelTree after)
    {
        // A store opened again, from which only differing trees can be read. Reading another tree would throw.
        using var store = ObjectStore.Open(place.At("objects"));
        using var scratch = new ScratchPack(store);
        AddDifferent(scratch.Pack, before, after);
        scratch.Attach();

        var changes = new List<Change>();
        TreeDiff.Run(store.Packs, before.AsEntry(default), after.AsEntry(default), (ChangeKind kind, PathBuffer path, in TreeEntry x, in TreeEntry y) =>
            changes.Add(new Change(kind, ModelTree.Text(path.Bytes), x.Exists ? ModelTree.Of(x, []) : null, y.Exists ? ModelTree.Of(y, []) : null)));
        return changes;
    }

    private static void AddDifferent(PackWriter pack, ModelTree? before, ModelTree? after)
    {
        Digest first = DigestOf(before), second = DigestOf(after);
        if (first == second)
        {
            return;
        }

        Add(pack, before);
        Add(pack, after);
        foreach (string name in ChildrenOf(before).Keys.Union(ChildrenOf(after).Keys))
        {
            AddDifferent(pack, before?.Children.GetValueOrDefault(name), after?.Children.GetValueOrDefault(name));
        }
    }

    private static SortedDictionary<string, ModelTree> ChildrenOf(ModelTree? tree) => tree?.Children ?? [];

    private static void Add(PackWriter pack, ModelTree? tree)
    {
        if (tree is { IsDirectory: true })
        {
            pack.Add(PackedKind.Tree, DigestOf(tree), tree.Tree().Bytes);
        }
    }

    private static Digest DigestOf(ModelTree? tree) => tree is { IsDirectory: true } ? Tree.DigestOf(tree.Tree().Bytes) : default;

    private static ModelTree Apply(ModelTree tree, Change change, ModelTree? content)
    {
        if (change.Path.Length == 0)
        {
            tree.Metadata = change.After!.Metadata;
            tree.Xattrs = change.After.Xattrs;
            return tree;
        }

        int slash = change.Path.LastIndexOf('/');
        ModelTree? above = slash < 0 ? tree : Find(tree, change.Path[..slash]);
        string name = change.Path[(slash + 1)..];
        if (change.After is not { } after)
        {
            // A removed directory takes its entries with it.
            above?.Children.Remove(name);
            return tree;
        }

        ModelTree made = after with { Content = content!.Content };
        if (change.Kind == ChangeKind.Modified && made.IsDirectory)
        {
            made = made with { Children = above!.Children[name].Children };
        }

        above!.Children[name] = made;
        return tree;
    }

    /// <summary>Fails unless the change is a real one, and its entries are those of the two trees at its path.</summary>
    private static void RequireSaid(Change change, ModelTree? before, ModelTree? after)
    {
        ChangeKind expected = before is null ? ChangeKind.Added
            : after is null ? ChangeKind.Removed
            : before.Kind != after.Kind ? ChangeKind.TypeChanged
            : ChangeKind.Modified;
        Assert.Equal(expected, change.Kind);
        RequireSame(before, change.Before);
        RequireSame(after, change.After);
        Assert.False(before is not null && after is not null && Same(before, after));
    }

    private static void RequireSame(ModelTree? expected, ModelTree? actual)
    {
        Assert.Equal(expected is null, actual is null);
        Assert.True(expected is null || Same(expected, actual! with { Content = expected.Content }));
    }

    private static bool Same(ModelTree x, ModelTree y) => x.Kind == y.Kind && x.Metadata == y.Metadata && x.Xattrs.AsSpan().SequenceEqual(y.Xattrs)
        && x.Content.AsSpan().SequenceEqual(y.Content) && x.Target.AsSpan().SequenceEqual(y.Target) && x.Major == y.Major && x.Minor == y.Minor;

    private static ModelTree? Find(ModelTree tree, string path)
    {
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (tree.Children.GetValueOrDefault(name) is not { } child)
            {
                return null;
            }

            tree = child;
        }

        return tree;
    }

    private static ModelTree File(string content) =>
        new() { Kind = EntryKind.Regular, Content = ByteText.FromArgument(content), Metadata = new FileMetadata(0x1A4, 0, 0, 0) };

    private static ModelTree Directory(params (string Name, ModelTree Tree)[] children)
    {
        var tree = new ModelTree { Kind = EntryKind.Directory, Metadata = new FileMetadata(0x1ED, 0, 0, 0) };
        foreach ((string name, ModelTree child) in children)
        {
            tree.Children.Add(name, child);
        }

        return tree;
    }
}
