using HackTree.Model;

namespace HackTree.Cli;

/// <summary>The subject and body of a commit, from what the options say.</summary>
internal static class CommitMessage
{
    /// <summary>
    /// With a subject, all messages are the body. Otherwise the first line of the first message is the subject, as with git, and the rest is the
    /// body. Several messages are paragraphs. Throws <see cref="UsageException"/> for text that a commit cannot hold.
    /// </summary>
    internal static (string Subject, string Body) Of(string? subject, IEnumerable<string> messages)
    {
        string text = string.Join("\n\n", messages);
        if (subject is null)
        {
            string[] parts = text.TrimStart('\n').Split('\n', 2);
            subject = parts[0].TrimEnd('\r');
            text = parts.Length == 1 ? "" : parts[1].TrimStart('\n');
        }

        if (!Commit.IsLine(subject))
        {
            throw new UsageException("the subject must be one line of UTF-8 text; put more into -m");
        }

        return Commit.IsLine(text.ReplaceLineEndings(" ")) ? (subject, text) : throw new UsageException("the message must be UTF-8 text");
    }
}
