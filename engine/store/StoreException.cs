namespace HackTree.Store;

/// <summary>
/// Something the user must know or mend. The message is a sentence that says where and what; <see cref="Remedy"/> says what to do about it.
/// </summary>
public class StoreException(string message, Remedy? remedy = null) : Exception(message)
{
    /// <summary>What to do; null where the message says so, or where nothing can be done.</summary>
    public Remedy? Remedy { get; } = remedy;
}

/// <summary>What is in the store (or in a pack or archive handed to it) is not what its name or format says, or is missing.</summary>
public sealed class CorruptException : StoreException
{
    /// <summary>Makes the exception for <paramref name="subject"/>, of which <paramref name="fault"/> is true.</summary>
    public CorruptException(string subject, string fault, Remedy? remedy)
        : base($"{subject}: {fault}", remedy)
    {
        Subject = subject;
        Fault = fault;
    }

    /// <summary>What is damaged: the absolute path of a file of the store, or whatever its user knows it by.</summary>
    public string Subject { get; }

    /// <summary>What is wrong with the subject, without naming the subject.</summary>
    public string Fault { get; }

    /// <summary>Whether something is missing, rather than there and damaged.</summary>
    public bool IsMissing { get; init; }
}
