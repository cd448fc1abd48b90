using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>How a root's files were made.</summary>
public enum CheckoutMethod
{
    /// <summary>Hardlinks to the store's objects.</summary>
    Hardlink,
    /// <summary>Copies that share extents with the objects until they are written to.</summary>
    Reflink,
    /// <summary>Copies.</summary>
    Copy,
    /// <summary>
    /// An image that has all names, and is mounted over the store's objects when the root is booted. What the boot needs before is hardlinks.
    /// </summary>
    Image,
}

/// <summary>
/// The properties of both kinds of record: where a root is, and what it was made from. A record is a <see cref="RootRecord"/> or a
/// <see cref="BuildRecord"/>; the name of its file tells which (FORMAT.md, section 9).
/// </summary>
public abstract record RootEntry
{
    private protected RootEntry()
    {
    }

    /// <summary>
    /// Reads the properties of a record. Throws, as <see cref="CheckedJson.Decode"/> expects, if one is missing or invalid.
    /// </summary>
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

    /// <summary>
    /// The path of the root: relative to the store's parent directory (the physical root) if it is below that, otherwise absolute.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>The root's commit.</summary>
    public required Digest Commit { get; init; }

    /// <summary>The commit as the user named it.</summary>
    public required string Revision { get; init; }

    /// <summary>When the root was made, in seconds since 1970.</summary>
    public required long Time { get; init; }

    /// <summary>How the root's files were made.</summary>
    public required CheckoutMethod Method { get; init; }

    /// <summary>
    /// The root's directory. Null in a build record until the directory exists, and in root records that gc completed before <see cref="Above"/>
    /// existed.
    /// </summary>
    public DirectoryIdentity? Directory { get; init; }

    /// <summary>
    /// The inode of the directory above the root. If the path leads into another directory, the store is seen from elsewhere, as in a
    /// container that has only the store. A missing root then proves nothing. Null in older records.
    /// </summary>
    public ulong? Above { get; init; }

    /// <summary>
    /// Whether the files below the root's /etc belong to it alone, whatever the method. True for a root that was made to be booted.
    /// </summary>
    public bool OwnsEtc { get; init; }

    /// <summary>The bytes of the record's file.</summary>
    internal abstract byte[] Encode();

    /// <summary>Reads the entry <paramref name="name"/> of roots/; null if it is damaged.</summary>
    internal static RootEntry? Decode(string name, ReadOnlySpan<byte> bytes) =>
        Roots.IsPartial(name) ? BuildRecord.Decode(bytes) : RootRecord.Decode(bytes);

    private protected byte[] Encode(string state, long? sealedAt, bool? isRoot, DirectoryIdentity? replaced = null) => CheckedJson.Encode(json =>
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

        if (replaced is { } old)
        {
            json.WriteNumber("replaced", old.Inode);
        }

        if (replaced?.Born is { } oldBorn)
        {
            json.WriteNumber("replacedBorn", oldBorn);
        }
    });

    /// <summary>Throws if a record has a property that its kind does not have.</summary>
    private protected static void RequireAbsent(JsonElement json, string name)
    {
        if (json.Find(name) is not null)
        {
            throw new FormatException(name);
        }
    }
}
