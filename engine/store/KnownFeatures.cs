namespace HackTree.Store;

/// <summary>What a program may do with a store that uses a feature the program does not know.</summary>
public enum FeatureSet
{
    /// <summary>Everything.</summary>
    Compatible,
    /// <summary>Read it.</summary>
    ReadOnlyCompatible,
    /// <summary>Nothing.</summary>
    Incompatible,
}

/// <summary>A feature of stores.</summary>
/// <param name="Name">Its name in the store's format file.</param>
/// <param name="Set">The list of the format file that has it.</param>
internal sealed record KnownFeature(string Name, FeatureSet Set);

/// <summary>The features that this program knows. A new one is a line here, and its meaning a paragraph in FORMAT.md, section 7.</summary>
internal static class KnownFeatures
{
    /// <summary>Attributes that the machine sets by itself are no part of trees and objects (<see cref="StoreFormat.IgnoresMachineXattrs"/>).</summary>
    internal const string MachineXattrsIgnored = "machine-xattrs-ignored";

    /// <summary>Objects get fs-verity where the filesystem has it (<see cref="VerityUse.Auto"/>).</summary>
    internal const string Verity = "fs-verity";

    /// <summary>Each object has fs-verity (<see cref="VerityUse.Required"/>).</summary>
    internal const string VerityRequired = "fs-verity-required";

    internal static readonly KnownFeature[] All =
    [
        new(MachineXattrsIgnored, FeatureSet.ReadOnlyCompatible), new(Verity, FeatureSet.Compatible), new(VerityRequired, FeatureSet.ReadOnlyCompatible),
    ];

    /// <summary>The features that a store uses and that are not in <paramref name="known"/>.</summary>
    internal static string[] Unknown(IEnumerable<string> used, FeatureSet set, IReadOnlyList<KnownFeature> known) =>
        [.. used.Where(name => !known.Contains(new KnownFeature(name, set)))];
}

/// <summary>A store uses features that this program does not know.</summary>
public sealed class UnknownFeatureException : StoreException
{
    /// <summary>Makes the exception for a store and its unknown features of one list.</summary>
    public UnknownFeatureException(string store, FeatureSet set, IReadOnlyList<string> features)
        : base(Sentence(store, set, features), new Remedy.UseNewerProgram()) =>
        (Store, Set, Features) = (store, set, features);

    /// <summary>The store's path.</summary>
    public string Store { get; }

    /// <summary>The list of the format file that has the features.</summary>
    public FeatureSet Set { get; }

    /// <summary>The features' names.</summary>
    public IReadOnlyList<string> Features { get; }

    private static string Sentence(string store, FeatureSet set, IReadOnlyList<string> features) =>
        $"{store}: to {(set == FeatureSet.ReadOnlyCompatible ? "write to" : "read")} this store a program must know {string.Join(", ", features)}";
}
