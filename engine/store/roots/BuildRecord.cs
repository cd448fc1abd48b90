using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// The record of a root that is being built, replaced or removed: roots/NAME.partial.json. It exists beside the record of the old root of
/// that name. While it exists, the directory ".NAME.partial" beside the root's place belongs to the process that has the root's turn. If no
/// process has the turn, that directory is litter.
/// </summary>
public sealed record BuildRecord : RootEntry
{
    private const string State = "Partial";

    /// <summary>An empty record.</summary>
    public BuildRecord()
    {
    }

    [SetsRequiredMembers]
    private BuildRecord(JsonElement json)
        : base(json)
    {
        if (json.GetText("state") != State)
        {
            throw new FormatException("state");
        }

        RequireAbsent(json, "sealed");
        BecomesRoot = json.GetProperty("isRoot").GetBoolean();
        long? born = json.Find("replacedBorn")?.GetInt64();
        Replaced = json.Find("replaced")?.GetUInt64() is { } inode ? new DirectoryIdentity(inode, born)
            : born is null ? null
            : throw new FormatException("replacedBorn");
    }

    [SetsRequiredMembers]
    private BuildRecord(RootRecord leaving)
        : base(leaving)
    {
    }

    /// <summary>
    /// Whether <see cref="RootEntry.Directory"/> is a whole root that only lacks its record, if it has the root's own name. False for a root that
    /// is being removed. Also false for a part of a tree and for a copy on another filesystem, which the store does not know once they are made.
    /// </summary>
    public required bool BecomesRoot { get; init; }

    /// <summary>
    /// What the new root replaces: it has the root's own name, and then the partial name. Null until that is known, and if nothing is replaced.
    /// </summary>
    public DirectoryIdentity? Replaced { get; init; }

    /// <summary>Whether <see cref="RootEntry.Directory"/> has that path.</summary>
    public bool IsAt(string path) =>
        Directory is { } directory
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None
        && directory.IsOf(status);

    /// <summary>
    /// Whether something under the partial name is what this record tells of, and so may be removed. A root that is to become another one in its own
    /// place is told by its root record.
    /// </summary>
    /// <param name="partial">The status of what has the partial name.</param>
    /// <param name="root">The record of the whole root of that name; null if there is none.</param>
    public bool Owns(in FileStatus partial, RootRecord? root) =>
        Directory?.IsInode(partial) == true || Replaced?.IsInode(partial) == true || root?.Directory?.IsOf(partial) == true;

    /// <summary>
    /// The build record for the removal of a root: <paramref name="directory"/> is its directory, <paramref name="above"/> the inode of the
    /// directory above.
    /// </summary>
    public static BuildRecord OfRemoval(RootRecord root, DirectoryIdentity directory, ulong above) =>
        new(root) { Directory = directory, Above = above, BecomesRoot = false };

    internal override byte[] Encode() => Encode(State, sealedAt: null, BecomesRoot, Replaced);

    /// <summary>Reads a record; null if it is damaged.</summary>
    internal static BuildRecord? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new BuildRecord(json));
}
