using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using HackTree.Model;

namespace HackTree.Store;

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

/// <summary>
/// What both kinds of record say: where a root is, and what it was made from. A record is a <see cref="RootRecord"/> or a
/// <see cref="BuildRecord"/>; the name of its file tells which. FORMAT.md, section 9.
/// </summary>
public abstract record RootEntry
{
    private protected RootEntry()
    {
    }

    /// <summary>The properties of a record. Throws, as <see cref="CheckedJson.Decode"/> expects, where one is missing or is none.</summary>
    [SetsRequiredMembers]
    private protected RootEntry(JsonElement json)
    {
        Path = json.GetText("path");
        Commit = Digest.TryParse(json.GetText("commit"), out Digest commit) ? commit : throw new FormatException("commit");
        Revision = json.GetText("revision");
        Time = json.GetProperty("time").GetInt64();
        Method = json.GetName<CheckoutMethod>("method");
        Above = json.Find("above")?.GetUInt64();
        OwnsEtc = json.Find("boot")?.GetBoolean() switch { null => false, true => true, false => throw new FormatException("boot") };
        long? born = json.Find("born")?.GetInt64();
        Directory = json.Find("inode")?.GetUInt64() is { } inode ? new DirectoryIdentity(inode, born)
            : born is null ? null
            : throw new FormatException("born");
    }

    /// <summary>Where the root is: relative to the store's parent directory (the physical root) when below it, else absolute.</summary>
    public required string Path { get; init; }

    /// <summary>The commit that the root shows.</summary>
    public required Digest Commit { get; init; }

    /// <summary>The commit as the user named it.</summary>
    public required string Revision { get; init; }

    /// <summary>When the root was made, in seconds since 1970.</summary>
    public required long Time { get; init; }

    /// <summary>How the root's files were made.</summary>
    public required CheckoutMethod Method { get; init; }

    /// <summary>
    /// The root's directory. Null in a build record until the directory is there, and in root records that gc completed before
    /// there was <see cref="Above"/>.
    /// </summary>
    public DirectoryIdentity? Directory { get; init; }

    /// <summary>
    /// The inode of the directory that the root stands in. Where the path leads into another directory, the store is seen from elsewhere, as
    /// in a container that has nothing but the store: a missing root then proves nothing. Null in records made before this was recorded.
    /// </summary>
    public ulong? Above { get; init; }

    /// <summary>Whether the files below the root's /etc are its own, whatever the method: the root was made to be booted.</summary>
    public bool OwnsEtc { get; init; }

    /// <summary>The bytes of the record's file.</summary>
    internal abstract byte[] Encode();

    /// <summary>The record of the entry <paramref name="name"/> of roots/; null for a damaged one.</summary>
    internal static RootEntry? Decode(string name, ReadOnlySpan<byte> bytes) =>
        Roots.IsPartial(name) ? BuildRecord.Decode(bytes) : RootRecord.Decode(bytes);

    private protected byte[] Encode(string state, long? sealedAt, bool? isRoot) => CheckedJson.Encode(json =>
    {
        json.WriteString("path", Path);
        json.WriteString("commit", Commit.ToString());
        json.WriteString("revision", Revision);
        json.WriteNumber("time", Time);
        json.WriteString("method", Method.ToString());
        json.WriteString("state", state);
        if (Directory is { } directory)
        {
            json.WriteNumber("inode", directory.Inode);
        }

        if (Directory?.Born is { } born)
        {
            json.WriteNumber("born", born);
        }

        if (Above is { } above)
        {
            json.WriteNumber("above", above);
        }

        if (sealedAt is { } time)
        {
            json.WriteNumber("sealed", time);
        }

        if (OwnsEtc)
        {
            json.WriteBoolean("boot", true);
        }

        if (isRoot is { } flag)
        {
            json.WriteBoolean("isRoot", flag);
        }
    });

    /// <summary>Throws for a property that this kind of record does not have.</summary>
    private protected static void RequireAbsent(JsonElement json, string name)
    {
        if (json.Find(name) is not null)
        {
            throw new FormatException(name);
        }
    }
}
