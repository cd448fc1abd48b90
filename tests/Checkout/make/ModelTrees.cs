using CsCheck;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Tests.Model;

namespace HackTree.Tests.Checkout;

/// <summary>Random trees that this filesystem can hold, and pairs of trees in which one is a change of the other.</summary>
internal static class ModelTrees
{
    private static readonly bool IsRoot = Sys.IsRoot;
    private static readonly uint Uid = Sys.EffectiveUid;
    private static readonly uint Gid = Sys.EffectiveGid;

    // The times that ext4 can hold: from 1901 to 2446.
    private static readonly Gen<long> Time = Gen.OneOf<long>(Gen.Long[-2147483648, 15032385535], Gen.OneOf<long>(0, -1, 2147483647, 2147483648, 4294967296, 1600000000));

    private static readonly Gen<uint> Owner = Gen.OneOf<uint>(Gen.UInt[0, 4294967294], Gen.OneOf<uint>(0u, 1, 65534, 4294967294));

    private static readonly Gen<FileMetadata> Metadata = Gen.Select(Gen.UShort[0, FileMetadata.ModeMask], Owner, Owner, Time, (mode, uid, gid, time) =>
        IsRoot ? new FileMetadata(mode, uid, gid, time) : new FileMetadata((ushort)((mode & 0x1FF) | 0x1C0), Uid, Gid, time));

    private static readonly Gen<byte[]> Content = Gen.Frequency(
        (3, Gen.OneOf(0, 1, 4095, 4096, 4097, 9000).Select(size => Support.Content.Of(size))),
        (1, Gen.Int[0, 9000].Select(size => new byte[size])),
        (2, Gen.Byte.Array[0, 100]));

    private static readonly Gen<ModelTree> Regular = Gen.Select(Metadata, Attributes("user."), Content, (metadata, xattrs, content) =>
        new ModelTree { Kind = EntryKind.Regular, Metadata = metadata, Xattrs = xattrs, Content = content });

    private static readonly Gen<ModelTree> Symlink = Gen.Select(
        Metadata,
        Attributes("trusted."),
        Gen.Frequency((9, Gen.Byte[1, 255].Array[1, 60]), (1, Gen.Byte[1, 255].Array[900, 1000])),
        (metadata, xattrs, target) => new ModelTree
        {
            Kind = EntryKind.Symlink,
            Metadata = metadata with { Mode = FileMetadata.SymlinkMode },
            Xattrs = IsRoot ? xattrs : [],
            Target = target,
        });

    private static readonly Gen<ModelTree> Fifo = Gen.Select(Metadata, Attributes("trusted."), (metadata, xattrs) =>
        new ModelTree { Kind = EntryKind.Fifo, Metadata = metadata, Xattrs = IsRoot ? xattrs : [] });

    private static readonly Gen<ModelTree> Device = Gen.Select(Metadata, Gen.Bool, Gen.UInt[0, 511], Gen.UInt[0, 262143], (metadata, isBlock, major, minor) =>
        new ModelTree { Kind = isBlock ? EntryKind.BlockDevice : EntryKind.CharacterDevice, Metadata = metadata, Major = major, Minor = minor });

    private static readonly Gen<ModelTree> Leaf = IsRoot
        ? Gen.Frequency((6, Regular), (2, Symlink), (1, Fifo), (1, Device))
        : Gen.Frequency((6, Regular), (2, Symlink), (1, Fifo));

    /// <summary>A directory with up to three levels below it.</summary>
    public static Gen<ModelTree> Tree { get; } = DirectoryOf(DirectoryOf(DirectoryOf(null)));

    /// <summary>A tree, and the same tree after some changes.</summary>
    public static Gen<(ModelTree Before, ModelTree After)> Pair { get; } = Gen.Frequency(
        (9, Gen.Select(
            Tree,
            Gen.Select(Gen.Int[0, 1000], Gen.Int[0, 1000], Gen.Int[0, 4], Generators.Name, Gen.Frequency((3, Leaf), (1, DirectoryOf(DirectoryOf(null))))).Array[0, 6],
            Change)),
        (1, Gen.Select(Tree, Tree)));

    private static Gen<ModelTree> DirectoryOf(Gen<ModelTree>? below)
    {
        Gen<ModelTree> child = below is null ? Leaf : Gen.Frequency((2, Leaf), (1, below));
        return Gen.Select(Metadata, Attributes("user."), Gen.Select(Generators.Name, child).Array[0, 5], (metadata, xattrs, children) =>
        {
            var tree = new ModelTree { Kind = EntryKind.Directory, Metadata = metadata, Xattrs = xattrs };
            foreach ((byte[] name, ModelTree node) in children)
            {
                tree.Children[ModelTree.Text(name)] = node;
            }

            return tree;
        });
    }

    private static Gen<byte[]> Attributes(string space) => Gen.Frequency(
        (4, Gen.Const(Array.Empty<byte>())),
        (1, Gen.Select(Gen.Byte[1, 255].Array[1, 6], Gen.Byte.Array[0, 60], (name, value) => (Name: (byte[])[.. ByteText.FromArgument(space), .. name], Value: value)).Array[1, 3]
            .Select(all => XattrSet.Encode(all.DistinctBy(attribute => ModelTree.Text(attribute.Name))))));

    private static (ModelTree Before, ModelTree After) Change(ModelTree before, (int Where, int Which, int How, byte[] Name, ModelTree Node)[] changes)
    {
        ModelTree after = before.Copied();
        foreach ((int where, int which, int how, byte[] name, ModelTree node) in changes)
        {
            List<ModelTree> directories = [.. after.Directories];
            ModelTree directory = directories[where % directories.Count];
            string? child = directory.Children.Count == 0 ? null : directory.Children.Keys.ElementAt(which % directory.Children.Count);
            switch (how)
            {
                case 0 when child is not null:
                    directory.Children.Remove(child);
                    break;
                case 1 when child is not null:
                    directory.Children[child] = node.Copied();
                    break;
                case 2 when child is not null:
                    ModelTree changed = directory.Children[child];
                    changed.Metadata = node.Metadata with { Mode = changed.Kind == EntryKind.Symlink ? FileMetadata.SymlinkMode : node.Metadata.Mode };
                    break;
                case 3:
                    directory.Metadata = node.Metadata;
                    break;
                default:
                    directory.Children[ModelTree.Text(name)] = node.Copied();
                    break;
            }
        }

        return (before, after);
    }
}
