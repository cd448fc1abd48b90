using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using HackTree.Checkout;

namespace HackTree.Cli;

/// <summary>The options of `commit` that take commits of OSTree.</summary>
internal sealed class OstreeOptions
{
    private readonly Option<string?> repository = new("--ostree")
    {
        Description = "Take the commit that TREE names in this repository of OSTree, with its message, time and texts. TREE is a ref there, "
            + "REMOTE:REF, or a checksum.",
        HelpName = "REPO",
    };

    private readonly Option<string?> depth = new("--depth")
    {
        Description = "With --ostree: how many generations of ancestors to take too. Default: 0.",
        HelpName = "N",
    };


    /// <summary>The options, in the order of the help.</summary>
    internal IEnumerable<Option> Options => [repository, depth];

    internal bool IsGiven(CommandResult result) => result.GetResult(repository) is not null || result.GetResult(depth) is not null;

    /// <summary>Adds an error for options that do not go together.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="revision">The ref, if it was given.</param>
    /// <param name="others">Options that do not go with these.</param>
    internal void Check(CommandResult result, string? revision, IEnumerable<Option> others)
    {
        if (result.GetResult(repository) is null)
        {
            result.AddError("--depth is for commits of OSTree: give --ostree REPO");
        }
        else if (revision is null)
        {
            result.AddError("name the ref of the repository: --ostree REPO OSTREE_REF");
        }
        else if (others.FirstOrDefault(option => result.GetResult(option) is { Implicit: false }) is { } other)
        {
            result.AddError($"--ostree takes a commit whole, with its message and time: leave out {other.Name}");
        }
        else if (result.GetValue(depth) is { } text && !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            result.AddError($"'{text}' is no number from 0 up");
        }
    }

    /// <summary>The commits to take; null if the option is not given.</summary>
    internal OstreeSource? Source(Session session, Argument<string?> revision) => session.Get(repository) is { } path
        ? new OstreeSource(path, session.Get(revision)!, int.Parse(session.Get(depth) ?? "0", CultureInfo.InvariantCulture))
        : null;
}
