using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

/// <summary>A tree in memory, to compare with the engine's trees on disk and in packs.</summary>
internal sealed record ModelTree
{
    public required EntryKind Kind { get; init; }

    public FileMetadata Metadata { get; set; }

    public byte[] Xattrs { get; set; } = [];

    public byte[] Content { get; init; } = [];

    public byte[] Target { get; init; } = [];

    public uint Major { get; init; }

    public uint Minor { get; init; }

    /// <summary>A directory's entries. Each char of a name is a byte, so names sort by bytes.</summary>
    public SortedDictionary<string, ModelTree> Children { get; init; } = new(StringComparer.Ordinal);

    public bool IsDirectory => Kind == EntryKind.Directory;

    /// <summary>This directory and all directories below it, parents first.</summary>
    public IEnumerable<ModelTree> Directories => IsDirectory ? Children.Values.SelectMany(child => child.Directories).Prepend(this) : [];

    public static byte[] Bytes(string name) => Encoding.Latin1.GetBytes(name);

    public static string Text(ReadOnlySpan<byte> name) => Encoding.Latin1.GetString(name);

    public ModelTree Copied()
    {
        ModelTree copy = this with { Children = new SortedDictionary<string, ModelTree>(StringComparer.Ordinal) };
        foreach ((string name, ModelTree child) in Children)
        {
            copy.Children.Add(name, child.Copied());
        }

        return copy;
    }

    /// <summary>The entry of this directory in the directory above.</summary>
    public TreeEntry AsEntry(ReadOnlySpan<byte> name) => new()
    {
        Kind = Kind,
        Name = name,
        Metadata = Metadata,
        Xattrs = Xattrs,
        Size = Content.Length,
        Digest = IsDirectory ? HackTree.Model.Tree.DigestOf(Tree().Bytes) : Kind == EntryKind.Regular ? Verity.Compute(Content) : default,
        Target = Target,
        DeviceMajor = Major,
        DeviceMinor = Minor,
    };

    /// <summary>A directory's canonical bytes.</summary>
    public Tree Tree()
    {
        var builder = new TreeBuilder();
        foreach ((string name, ModelTree child) in Children)
        {
            builder.Add(child.AsEntry(Bytes(name)));
        }

        return builder.Build();
    }

    /// <summary>An entry's own values, without those of a directory's entries.</summary>
    public static ModelTree Of(in TreeEntry entry, byte[] content) => new()
    {
        Kind = entry.Kind,
        Metadata = entry.Metadata,
        Xattrs = entry.Xattrs.ToArray(),
        Content = content,
        Target = entry.Target.ToArray(),
        Major = entry.DeviceMajor,
        Minor = entry.DeviceMinor,
    };

    /// <summary>Makes the tree on disk.</summary>
    public void Make(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        switch (Kind)
        {
            case EntryKind.Regular:
                Ok(Sys.Open(parent, name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle file, 0x180));
                using (file)
                {
                    Ok(Sys.WriteAt(file, Content, 0));
                }

                break;
            case EntryKind.Symlink:
                Ok(Sys.Symlink(Target, parent, name));
                break;
            case EntryKind.Directory:
                MakeDirectory(parent, name);
                break;
            default:
                FileType type = Kind == EntryKind.Fifo ? FileType.Fifo : Kind == EntryKind.BlockDevice ? FileType.BlockDevice : FileType.CharacterDevice;
                Ok(Sys.MakeNode(parent, name, type, 0, Major, Minor));
                break;
        }

        if (Sys.IsRoot)
        {
            Ok(Sys.SetOwner(parent, name, Metadata.Uid, Metadata.Gid));
        }

        ReadOnlySpan<byte> rest = Xattrs;
        while (XattrSet.Next(ref rest, out ReadOnlySpan<byte> attribute, out ReadOnlySpan<byte> value))
        {
            Ok(Sys.SetXattr(parent, name, attribute, value));
        }

        if (Kind != EntryKind.Symlink)
        {
            Ok(Sys.SetMode(parent, name, Metadata.Mode));
        }

        Ok(Sys.SetTime(parent, name, Metadata.ModifyTime));
    }

    private void MakeDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name)
    {
        Ok(Sys.MakeDirectory(parent, name, 0x1C0));
        Ok(Sys.Open(parent, name, OpenFlags.Directory, out SafeFileHandle directory));
        using (directory)
        {
            foreach ((string child, ModelTree tree) in Children)
            {
                tree.Make(directory, Bytes(child));
            }
        }
    }

    private static void Ok(Errno errno) => Assert.Equal(Errno.None, errno);
}
