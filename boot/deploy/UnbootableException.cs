using HackTree.Store;

namespace HackTree.Boot;

/// <summary>A commit that could not boot on this machine, or whose root could not be updated, as it is. Nothing is wrong with the machine.</summary>
public sealed class UnbootableException(string message, Remedy? remedy = null) : StoreException(message, remedy);
