using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace HackTree.Store;

/// <summary>
/// The record of a root that is being built, replaced or removed: roots/NAME.partial.json. It stands beside the record of the root that NAME
/// is until then. While it is there, the directory beside the root's place called ".NAME.partial" belongs to whoever has the root's
/// turn; once nobody has the turn, that directory is litter.
/// </summary>
public sealed record BuildRecord : RootEntry
{
    private const string State = "Partial";

    /// <summary>A record, to be filled.</summary>
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
    /// Whether <see cref="RootEntry.Directory"/>, found under the root's own name, is a whole root that only lacks its record. False for a
    /// part of a tree and a copy elsewhere, which the store does not know once they are made, and for a root that is being removed.
    /// </summary>
    public required bool BecomesRoot { get; init; }

    /// <summary>The record of a root that is about to be removed, as it is now: the directory <paramref name="directory"/> in the one of inode <paramref name="above"/>.</summary>
    public static BuildRecord OfRemoval(RootRecord root, DirectoryIdentity directory, ulong above) =>
        new(root) { Directory = directory, Above = above, BecomesRoot = false };


    internal override byte[] Encode() => Encode(State, sealedAt: null, BecomesRoot);

    /// <summary>Null for a damaged record.</summary>
    internal static BuildRecord? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new BuildRecord(json));
}
