namespace HackTree.Store;

/// <summary>Something the user must know or mend: one sentence that says what, where and what to do.</summary>
public class StoreException(string message) : Exception(message);

/// <summary>What is in the store (or in a pack or archive handed to it) is not what its name or format says.</summary>
public sealed class CorruptException(string message) : StoreException(message);
