using System.Text.Json;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Which objects get fs-verity: the kernel refuses writes to such an object, and compares all that is read with its digest.</summary>
public enum VerityUse
{
    /// <summary>None.</summary>
    Off,
    /// <summary>New ones, on a filesystem that has fs-verity.</summary>
    Auto,
    /// <summary>All. Without it, nothing becomes an object.</summary>
    Required,
}

/// <summary>
/// The store's `format` file: its version, the features that a program must know, and three policies that decide what an object's inode
/// holds. They are chosen when the store is made.
/// </summary>
public sealed record StoreFormat
{
    /// <summary>The version that this program reads and writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of the layout.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Features that a program may ignore.</summary>
    public string[] Compatible { get; init; } = [];

    /// <summary>Features that a program must know to write. Other programs may read.</summary>
    public string[] ReadOnlyCompatible { get; init; } = [];

    /// <summary>Features that a program must know to do anything.</summary>
    public string[] Incompatible { get; init; } = [];

    /// <summary>Whether modification times are kept. If not, all are zero, and more files share an inode.</summary>
    public bool KeepTimes { get; init; } = true;

    /// <summary>
    /// Whether an ordinary user owns the store. Then trees record owners, devices and all attributes, but the objects' inodes belong to
    /// that user and have only what an unprivileged process can set.
    /// </summary>
    public bool UserMode { get; init; }

    /// <summary>
    /// Whether the attributes that a machine gives its files by itself (<see cref="IsMachineXattr"/>) are no part of trees and objects. If
    /// not, they are kept like all others.
    /// </summary>
    public bool IgnoresMachineXattrs
    {
        get => ReadOnlyCompatible.Contains(KnownFeatures.MachineXattrsIgnored);
        init
        {
            string[] feature = [KnownFeatures.MachineXattrsIgnored];
            ReadOnlyCompatible = [.. ReadOnlyCompatible.Except(feature), .. value ? feature : []];
        }
    }

    /// <summary>Which objects get fs-verity.</summary>
    public VerityUse Verity
    {
        get => ReadOnlyCompatible.Contains(KnownFeatures.VerityRequired) ? VerityUse.Required
            : Compatible.Contains(KnownFeatures.Verity) ? VerityUse.Auto
            : VerityUse.Off;
        init
        {
            Compatible = [.. Compatible.Except([KnownFeatures.Verity]), .. value == VerityUse.Auto ? [KnownFeatures.Verity] : Array.Empty<string>()];
            string[] required = value == VerityUse.Required ? [KnownFeatures.VerityRequired] : [];
            ReadOnlyCompatible = [.. ReadOnlyCompatible.Except([KnownFeatures.VerityRequired]), .. required];
        }
    }

    /// <summary>The metadata in an object's inode and name, for a file whose tree records <paramref name="recorded"/>.</summary>
    public FileMetadata ObjectMetadata(FileMetadata recorded)
    {
        if (!UserMode)
        {
            return recorded;
        }

        // The store's user must be able to read its files. A set-id bit would give anybody who runs the file this user's rights, not the
        // recorded owner's.
        return recorded with { Mode = (ushort)((recorded.Mode & FileModes.Permissions) | FileModes.OwnerMayRead), Uid = 0, Gid = 0 };
    }

    /// <summary>
    /// The extended attributes of an object's inode, for a file whose tree records <paramref name="recorded"/>; canonical bytes both.
    /// </summary>
    public ReadOnlySpan<byte> ObjectXattrs(ReadOnlySpan<byte> recorded) =>
        recorded.IsEmpty ? recorded
        : UserMode ? XattrSet.Where(recorded, IsSettableByUser)
        : IgnoresMachineXattrs ? XattrSet.Where(recorded, static name => !IsMachineXattr(name))
        : recorded;

    /// <summary>
    /// Whether an inode with the attributes <paramref name="actual"/> is right for a file whose tree records <paramref name="recorded"/>. It
    /// may have attributes of the machine or the filesystem that the tree does not record: they come with each new file, and some cannot be removed.
    /// </summary>
    public bool HoldsXattrs(ReadOnlySpan<byte> actual, ReadOnlySpan<byte> recorded)
    {
        actual = ObjectXattrs(actual);
        ReadOnlySpan<byte> wanted = ObjectXattrs(recorded), rest = wanted;
        while (XattrSet.Next(ref actual, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            bool isExtra = (IsMachineXattr(name) || IsFilesystemXattr(name)) && !XattrSet.Contains(wanted, name);
            if (!isExtra && !(XattrSet.Next(ref rest, out ReadOnlySpan<byte> wantedName, out ReadOnlySpan<byte> wantedValue)
                && name.SequenceEqual(wantedName) && value.SequenceEqual(wantedValue)))
            {
                return false;
            }
        }

        return rest.IsEmpty;
    }

    /// <summary>Whether an attribute of a file is no part of trees that are made for this store.</summary>
    public bool PassesOver(ReadOnlySpan<byte> attribute) => IsFilesystemXattr(attribute) || (IgnoresMachineXattrs && IsMachineXattr(attribute));

    /// <summary>
    /// Whether it is an attribute that says how a filesystem keeps a file, and nothing of the file itself: btrfs's properties, which files inherit from their
    /// directory, and XFS's ACLs, which root sees under these names a second time.
    /// </summary>
    public static bool IsFilesystemXattr(ReadOnlySpan<byte> attribute) => attribute.StartsWith("btrfs."u8) || attribute.StartsWith("trusted.SGI_ACL_"u8);

    /// <summary>
    /// Whether it is an attribute that a kernel gives new files by itself: the labels of SELinux and Smack, and what IMA and EVM measured.
    /// </summary>
    public static bool IsMachineXattr(ReadOnlySpan<byte> attribute) =>
        attribute.SequenceEqual("security.selinux"u8)
        || attribute.SequenceEqual("security.ima"u8)
        || attribute.SequenceEqual("security.evm"u8)
        || attribute.SequenceEqual("security.SMACK64"u8);

    /// <summary>Whether an unprivileged owner may set the attribute. ACLs name other users, but may be set too.</summary>
    public static bool IsSettableByUser(ReadOnlySpan<byte> attribute) =>
        attribute.StartsWith("user."u8) || IsAcl(attribute);

    /// <summary>Whether the attribute is an ACL. The kernel shows the users that it names as they are called in the reader's user namespace.</summary>
    public static bool IsAcl(ReadOnlySpan<byte> attribute) => attribute.StartsWith("system.posix_acl_"u8);

    internal byte[] Encode() => CheckedJson.Encode(json =>
    {
        json.WriteNumber("hacktree", Version);
        WriteNames(json, "compatible", Compatible);
        WriteNames(json, "readOnlyCompatible", ReadOnlyCompatible);
        WriteNames(json, "incompatible", Incompatible);
        json.WriteBoolean("keepTimes", KeepTimes);
        json.WriteBoolean("userMode", UserMode);
    });

    /// <summary>Reads a format file. Throws for a store that this program must not touch.</summary>
    internal static StoreFormat Decode(ReadOnlySpan<byte> bytes, string storePath)
    {
        StoreFormat? format = CheckedJson.Decode(bytes, json => new StoreFormat
        {
            Version = json.GetProperty("hacktree").GetInt32(),
            Compatible = ReadNames(json, "compatible"),
            ReadOnlyCompatible = ReadNames(json, "readOnlyCompatible"),
            Incompatible = ReadNames(json, "incompatible"),
            KeepTimes = json.GetProperty("keepTimes").GetBoolean(),
            UserMode = json.GetProperty("userMode").GetBoolean(),
        });

        // A newer version may have another syntax, even for its check. So the version number is looked at first.
        if ((format?.Version ?? VersionOf(bytes)) > CurrentVersion)
        {
            throw new StoreException(
                $"{storePath}: the store was made by a newer hacktree (format {VersionOf(bytes)}, this one knows {CurrentVersion}); use that one");
        }

        if (format is null || format.Version < 1)
        {
            throw new CorruptException($"{storePath}/format", "damaged", new Remedy.RestoreFormat());
        }

        format.RequireKnown(FeatureSet.Incompatible, storePath);
        return format;
    }

    /// <summary>Throws <see cref="UnknownFeatureException"/> if the store uses a feature of that set and this program does not know it.</summary>
    internal void RequireKnown(FeatureSet set, string storePath)
    {
        string[] used = set switch
        {
            FeatureSet.Compatible => Compatible,
            FeatureSet.ReadOnlyCompatible => ReadOnlyCompatible,
            _ => Incompatible,
        };
        if (KnownFeatures.Unknown(used, set, KnownFeatures.All) is { Length: > 0 } unknown)
        {
            throw new UnknownFeatureException(storePath, set, unknown);
        }
    }

    private static void WriteNames(Utf8JsonWriter json, string property, string[] names)
    {
        json.WriteStartArray(property);
        foreach (string name in names)
        {
            json.WriteStringValue(name);
        }

        json.WriteEndArray();
    }

    private static string[] ReadNames(JsonElement json, string property) =>
        [.. json.GetProperty(property).EnumerateArray().Select(name => name.GetString() ?? throw new FormatException(property))];

    private static int VersionOf(ReadOnlySpan<byte> bytes)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes.ToArray());
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("hacktree", out JsonElement version)
                && version.TryGetInt32(out int number) ? number : 0;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return 0;
        }
    }
}
