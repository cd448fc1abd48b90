using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// A file of a commit as messages name it: "etc/passwd of commit 0123456789abcdef". The text is made only if there is an error.
/// </summary>
/// <param name="commit">The commit.</param>
/// <param name="path">Makes the file's path.</param>
public sealed class CommitFile(Digest commit, Func<string> path)
{
    /// <inheritdoc/>
    public override string ToString() => $"{path()} of commit {commit.ToShortString()}";
}
