namespace HackTree.Store;

/// <summary>What a program that does not know a feature may still do with a store that uses it.</summary>
public enum FeatureSet
{
    /// <summary>All.</summary>
    Compatible,
    /// <summary>Read.</summary>
    ReadOnlyCompatible,
    /// <summary>Nothing.</summary>
    Incompatible,
}

/// <summary>A feature of stores.</summary>
/// <param name="Name">Its name in the store's format file.</param>
/// <param name="Set">Which list of the format file has it.</param>
internal sealed record KnownFeature(string Name, FeatureSet Set);

/// <summary>The features that this program knows. A new one is a line here, and its meaning a paragraph in FORMAT.md, section 7.</summary>
internal static class KnownFeatures
{
    internal static readonly KnownFeature[] All = [];

    /// <summary>Those that a store uses and a program that knows <paramref name="known"/> does not.</summary>
    internal static string[] Unknown(IEnumerable<string> used, FeatureSet set, IReadOnlyList<KnownFeature> known) =>
        [.. used.Where(name => !known.Contains(new KnownFeature(name, set)))];
}

/// <summary>A store uses features that this program does not know.</summary>
public sealed class UnknownFeatureException : StoreException
{
    /// <summary>Makes the exception for a store and what it uses of one set.</summary>
    public UnknownFeatureException(string store, FeatureSet set, IReadOnlyList<string> features)
        : base(Sentence(store, set, features), new Remedy.UseNewerProgram()) =>
        (Store, Set, Features) = (store, set, features);

    /// <summary>The store's path.</summary>
    public string Store { get; }

    /// <summary>The list of the format file that the features are in.</summary>
    public FeatureSet Set { get; }

    /// <summary>The features' names.</summary>
    public IReadOnlyList<string> Features { get; }

    private static string Sentence(string store, FeatureSet set, IReadOnlyList<string> features) =>
        $"{store}: to {(set == FeatureSet.ReadOnlyCompatible ? "write to" : "read")} this store a program must know {string.Join(", ", features)}";
}
