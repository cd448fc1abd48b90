namespace HackTree.Boot;

/// <summary>An initrd that cannot be taken as it is. The message is one sentence for the user.</summary>
public sealed class InitrdException(string message) : IOException(message);
