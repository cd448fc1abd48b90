using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using HackTree.Checkout;
using HackTree.Model;

namespace HackTree.Cli;

/// <summary>The options of `commit` that say what the commit tells of itself: its message, annotations and time.</summary>
internal sealed class CommitStory
{
    private readonly Option<string?> subject = new("-s", "--subject") { Description = "One line that describes the commit.", HelpName = "TEXT" };
    private readonly Option<string[]> messages = new("-m", "--message")
    {
        Description = "The message: its first line is the subject, the rest the body. With -s all of it is the body. May be repeated.",
        HelpName = "TEXT",
    };

    private readonly Option<string?> body = new("--body") { Description = "Further description.", HelpName = "TEXT" };
    private readonly Option<string[]> meta = new("--meta") { Description = "An annotation; may be repeated.", HelpName = "KEY=VALUE" };
    private readonly Option<string?> timestamp = new("--timestamp")
    {
        Description = "The commit's time, such as 2026-11-23T04:17:32Z or @1795407452. Default: $SOURCE_DATE_EPOCH, or now.",
        HelpName = "TIME",
    };

    /// <summary>The options, in the order of the help.</summary>
    internal IEnumerable<Option> Options => [messages, subject, body, meta, timestamp];

    /// <summary>Those that tell of one new commit.</summary>
    internal IEnumerable<Option> OfOneCommit => [messages, subject, body, timestamp];

    /// <summary>Reads the options. Throws <see cref="UsageException"/> for what no commit can tell.</summary>
    internal CommitRequest Request(Session session, string? refName)
    {
        IEnumerable<string> more = session.Get(body) is { } last ? [last] : [];
        (string line, string text) = CommitMessage.Of(session.Get(subject), [.. session.Get(messages) ?? [], .. more]);
        return new CommitRequest
        {
            Ref = refName,
            Subject = line,
            Body = text,
            Annotations = Annotations(session.Get(meta) ?? []),
            Time = session.Get(timestamp) is { } time ? TimeText.Time(timestamp.Name, time) : TimeOfNow(),
        };
    }

    /// <summary>The time of a commit that is made now, or the time that a reproducible build sets.</summary>
    internal static long TimeOfNow()
    {
        if (Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH") is not { Length: > 0 } epoch)
        {
            return DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        }

        return long.TryParse(epoch, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds)
            ? seconds
            : throw new UsageException($"SOURCE_DATE_EPOCH is '{epoch}'; it must be a number of seconds since 1970");
    }

    private static ImmutableSortedDictionary<string, string> Annotations(string[] given)
    {
        var annotations = Commit.NoAnnotations.ToBuilder();
        foreach (string pair in given)
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? "" : pair[..equals];
            if (!Commit.IsAnnotationKey(key) || !Commit.IsLine(pair[(equals + 1)..]))
            {
                throw new UsageException(
                    $"'{pair}' is no annotation; write --meta KEY=VALUE, with a key of letters, digits, '.', '_' and '-' and a value of one line");
            }

            annotations[key] = pair[(equals + 1)..];
        }

        return annotations.ToImmutable();
    }
}
