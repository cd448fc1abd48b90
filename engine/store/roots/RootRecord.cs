using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using HackTree.Linux;

namespace HackTree.Store;

/// <summary>What may be done with a root.</summary>
public enum RootState
{
    /// <summary>The root may be removed, replaced, and turned into another commit.</summary>
    Ready,
    /// <summary>The root stays.</summary>
    Pinned,
}

/// <summary>The record of a whole root: roots/NAME.json. It keeps the root's commit alive.</summary>
public sealed record RootRecord : RootEntry
{
    /// <summary>A record, to be filled.</summary>
    public RootRecord()
    {
    }

    [SetsRequiredMembers]
    private RootRecord(JsonElement json)
        : base(json)
    {
        State = json.GetName<RootState>("state");
        SealedAt = json.Find("sealed")?.GetInt64();
        RequireAbsent(json, "isRoot");
        if (SealedAt is not null && Directory is null)
        {
            throw new FormatException("sealed");
        }
    }

    [SetsRequiredMembers]
    private RootRecord(BuildRecord build)
        : base(build)
    {
    }

    /// <summary>What may be done with the root.</summary>
    public required RootState State { get; init; }

    /// <summary>
    /// The change time (ctime) of the root's directory when all was done, in nanoseconds since 1970. A directory of the root whose own change
    /// time is later has been touched since. Null where the process that made the root ended before it could write this.
    /// </summary>
    public long? SealedAt { get; init; }

    /// <summary>Whether the status is that of the root's directory. Any directory will do for a record that does not tell which.</summary>
    public bool IsOf(in FileStatus status) => Directory is { } directory ? directory.IsOf(status) : status.Type == FileType.Directory;

    /// <summary>The record of the root that <paramref name="build"/> became, without the time when it was sealed.</summary>
    public static RootRecord OfUnsealed(BuildRecord build) => new(build) { State = RootState.Ready };

    internal override byte[] Encode() => Encode(State.ToString(), SealedAt, isRoot: null);

    /// <summary>Null for a damaged record.</summary>
    internal static RootRecord? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new RootRecord(json));
}
