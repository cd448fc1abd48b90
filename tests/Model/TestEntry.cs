using HackTree.Model;

namespace HackTree.Tests.Model;

/// <summary>A tree entry that owns its bytes, because a list cannot hold a <see cref="TreeEntry"/>.</summary>
public sealed record TestEntry(EntryKind Kind, byte[] Name, FileMetadata Metadata, byte[] Xattrs)
{
    public long Size { get; init; }

    public Digest Digest { get; init; }

    public byte[] Target { get; init; } = [];

    public uint Major { get; init; }

    public uint Minor { get; init; }

    public TreeEntry View => new()
    {
        Kind = Kind,
        Name = Name,
        Metadata = Metadata,
        Xattrs = Xattrs,
        Size = Size,
        Digest = Digest,
        Target = Target,
        DeviceMajor = Major,
        DeviceMinor = Minor,
    };

    /// <summary>A tree of the entries, in the given order.</summary>
    internal static Tree Build(params IEnumerable<TestEntry> entries)
    {
        var builder = new TreeBuilder();
        foreach (TestEntry entry in entries)
        {
            builder.Add(entry.View);
        }

        return builder.Build();
    }

    internal static TestEntry Fifo(params byte[] name) => new(EntryKind.Fifo, name, default, []);

    internal static TestEntry Symlink(byte[] name, byte[] target) =>
        new(EntryKind.Symlink, name, new FileMetadata(FileMetadata.SymlinkMode, 0, 0, 0), []) { Target = target };
}
