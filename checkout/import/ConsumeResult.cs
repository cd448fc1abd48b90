using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>An earlier command has committed a directory, and was ended while it removed the directory. That is finished now.</summary>
/// <param name="message">What was found and done.</param>
/// <param name="result">What was not removed.</param>
public sealed class ConsumedBeforeException(string message, ConsumeResult result) : StoreException(message)
{
    /// <summary>What was not removed.</summary>
    public ConsumeResult Result { get; } = result;
}

/// <summary>Counts the names that --consume did not remove, by reason.</summary>
public sealed record ConsumeResult
{
    /// <summary>The number of names that are not in the commit: they were left out, or were made since.</summary>
    public long LeftOut { get; init; }

    /// <summary>The number of names that changed since they were read. Their current state is not in the commit.</summary>
    public long Changed { get; init; }

    /// <summary>The path of the first changed name.</summary>
    public string? FirstChanged { get; init; }

    /// <summary>
    /// The number of files that a process has open for writing. What the process writes from now on is not in the commit.
    /// </summary>
    public long InUse { get; init; }

    /// <summary>The path of the first file in use.</summary>
    public string? FirstInUse { get; init; }

    /// <summary>The number of names that are in the commit and could not be removed.</summary>
    public long Failed { get; init; }

    /// <summary>The error for the first name that could not be removed.</summary>
    public LinuxException? FirstFailure { get; init; }

    /// <summary>
    /// The number of changed files that were objects when they were written to. The commit's objects for them are damaged.
    /// </summary>
    public long Damaged { get; init; }

    /// <summary>The path of the first such file.</summary>
    public string? FirstDamaged { get; init; }

    /// <summary>The place of everything that stayed, if something else has taken the tree's own place; otherwise null.</summary>
    public string? Stranded { get; init; }

    /// <summary>Whether nothing went wrong. Then each name that stayed is not in the commit, has changed since, or is in use.</summary>
    public bool IsDone => Failed == 0 && Damaged == 0 && Stranded is null;
}
