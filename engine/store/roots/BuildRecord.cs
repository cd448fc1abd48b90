using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

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
    /// The build record for the removal of a root: <paramref name="directory"/> is its directory, <paramref name="above"/> the inode of the
    /// directory above.
    /// </summary>
    public static BuildRecord OfRemoval(RootRecord root, DirectoryIdentity directory, ulong above) =>
        new(root) { Directory = directory, Above = above, BecomesRoot = false };

    internal override byte[] Encode() => Encode(State, sealedAt: null, BecomesRoot);

    /// <summary>Reads a record; null if it is damaged.</summary>
    internal static BuildRecord? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new BuildRecord(json));
}
