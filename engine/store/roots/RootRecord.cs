using HackTree.Linux;

namespace HackTree.Store;

/// <summary>How far a root has come.</summary>
public enum RootState
{
    /// <summary>
    /// Being built, or abandoned. Such a record is called NAME.partial, so that it stands beside the record of a root
    /// that will be replaced; what stands beside its path as ".NAME.partial" is litter for gc once nobody builds.
    /// </summary>
    Partial,
    /// <summary>Whole. It keeps its commit alive.</summary>
    Ready,
    /// <summary>Whole, and not to be removed or turned into another commit.</summary>
    Pinned,
}

/// <summary>How a root's files were made.</summary>
public enum CheckoutMethod
{
    /// <summary>Hardlinks to the store's objects.</summary>
    Hardlink,
    /// <summary>Files of their own that share extents with the objects until written to.</summary>
    Reflink,
    /// <summary>Files of their own.</summary>
    Copy,
}

/// <summary>What the store knows of a checked-out root: the JSON file roots/&lt;name&gt;.json.</summary>
public sealed record RootRecord
{
    /// <summary>Where it is: relative to the store's parent directory (the physical root) when below it, else absolute.</summary>
    public required string Path { get; init; }

    /// <summary>The commit's 64 digits.</summary>
    public required string Commit { get; init; }

    /// <summary>The commit as the user named it.</summary>
    public required string Revision { get; init; }

    /// <summary>When it was made, in seconds since 1970.</summary>
    public required long Time { get; init; }

    /// <summary>How its files were made.</summary>
    public required CheckoutMethod Method { get; init; }

    /// <summary>How far it has come.</summary>
    public required RootState State { get; init; }

    /// <summary>
    /// The inode of the root's directory. In a partial record, whichever name that inode has tells how far the building
    /// came before it was interrupted; in a ready one it tells the root from another directory in its place.
    /// </summary>
    public ulong? Inode { get; init; }

    /// <summary>
    /// When that directory was made (statx's btime), in nanoseconds since 1970: an inode number is given again to whatever is made next.
    /// Null where the filesystem does not tell.
    /// </summary>
    public long? Born { get; init; }

    /// <summary>
    /// The inode of the directory that the root stands in. Where the path leads into another one, the store is seen from elsewhere, as
    /// from a container that has nothing but the store: then that the root is not there says nothing.
    /// </summary>
    public ulong? Above { get; init; }

    /// <summary>
    /// In a ready record: the change time (ctime) of the root's directory when all was done, in nanoseconds since 1970.
    /// A directory of the root whose own is later has been touched since. Null where the maker died before he could say.
    /// </summary>
    public long? Sealed { get; init; }

    /// <summary>True where the root was made to be booted: files below its /etc are its own, whatever the method. Else absent.</summary>
    public bool? Boot { get; init; }

    /// <summary>In a partial record: whether a root is being built, or only a part of a tree or a copy elsewhere.</summary>
    public bool? IsRoot { get; init; }

    /// <summary>Whether the directory of that status is the one that was recorded, as far as the record tells.</summary>
    public bool IsOf(in FileStatus status) =>
        status.Type == FileType.Directory
        && (Inode is not { } inode || inode == status.Inode)
        && (Born is not { } born || status.BirthTime is not { } time || born == time.ToNanoseconds());

    /// <summary>The record with what <see cref="IsOf"/> goes by, of the directory of that status.</summary>
    public RootRecord Of(in FileStatus status) => this with { Inode = status.Inode, Born = status.BirthTime?.ToNanoseconds() };

    internal byte[] Encode() => CheckedJson.Encode(json =>
    {
        json.WriteString("path", Path);
        json.WriteString("commit", Commit);
        json.WriteString("revision", Revision);
        json.WriteNumber("time", Time);
        json.WriteString("method", Method.ToString());
        json.WriteString("state", State.ToString());
        if (Inode is { } inode)
        {
            json.WriteNumber("inode", inode);
        }

        if (Born is { } born)
        {
            json.WriteNumber("born", born);
        }

        if (Above is { } above)
        {
            json.WriteNumber("above", above);
        }

        if (Sealed is { } time)
        {
            json.WriteNumber("sealed", time);
        }

        if (Boot is { } boot)
        {
            json.WriteBoolean("boot", boot);
        }

        if (IsRoot is { } isRoot)
        {
            json.WriteBoolean("isRoot", isRoot);
        }
    });

    /// <summary>Null for a damaged one.</summary>
    internal static RootRecord? Decode(ReadOnlySpan<byte> bytes) => CheckedJson.Decode(bytes, json => new RootRecord
    {
        Path = json.GetText("path"),
        Commit = json.GetText("commit"),
        Revision = json.GetText("revision"),
        Time = json.GetProperty("time").GetInt64(),
        Method = json.GetName<CheckoutMethod>("method"),
        State = json.GetName<RootState>("state"),
        Inode = json.Find("inode")?.GetUInt64(),
        Born = json.Find("born")?.GetInt64(),
        Above = json.Find("above")?.GetUInt64(),
        Sealed = json.Find("sealed")?.GetInt64(),
        Boot = json.Find("boot")?.GetBoolean(),
        IsRoot = json.Find("isRoot")?.GetBoolean(),
    });
}
