using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using HackTree.Linux;

namespace HackTree.Store;

/// <summary>Whether a root may be removed.</summary>
public enum RootState
{
    /// <summary>The root may be removed, replaced, and turned into another commit.</summary>
    Ready,
    /// <summary>The root must stay as it is.</summary>
    Pinned,
}

/// <summary>The record of a whole root: roots/NAME.json. It keeps the root's commit alive.</summary>
public sealed record RootRecord : RootEntry
{
    /// <summary>An empty record.</summary>
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
        RequireAbsent(json, "replaced");
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

    /// <summary>Whether the root may be removed.</summary>
    public required RootState State { get; init; }

    /// <summary>
    /// The change time (ctime) of the root's directory when the root was finished, in nanoseconds since 1970. A directory of the root with
    /// a later change time was touched since. Null if the process that made the root ended before it wrote the time.
    /// </summary>
    public long? SealedAt { get; init; }

    /// <summary>Whether the status is that of the root's directory. If the record has no directory, any directory counts.</summary>
    public bool IsOf(in FileStatus status) => Directory is { } directory ? directory.IsOf(status) : status.Type == FileType.Directory;

    /// <summary>The record of the root that <paramref name="build"/> became, without the time at which it was finished.</summary>
    public static RootRecord OfUnsealed(BuildRecord build) => new(build) { State = RootState.Ready };

    internal override byte[] Encode() => Encode(State.ToString(), SealedAt, isRoot: null);

    /// <summary>Reads a record; null if it is damaged.</summary>
    internal static RootRecord? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new RootRecord(json));
}
