using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>The options of `commit` that replace owners and modes.</summary>
internal sealed class MetadataOptions
{
    private readonly Option<string?> owner = new("--owner") { Description = "The owner of everything in TREE, a number; root is 0.", HelpName = "UID" };
    private readonly Option<string?> group = new("--group") { Description = "The group of everything in TREE, a number.", HelpName = "GID" };
    private readonly Option<string?> mode = new("--mode") { Description = "Change all modes as chmod would: 'go-w', 'u=rwX,go=rX'.", HelpName = "MODE" };
    private readonly Option<string?> statOverride = new("--statoverride")
    {
        Description = "Change the modes of single files: a line '+BITS /PATH' adds bits, '=BITS /PATH' replaces the mode. BITS are decimal.",
        HelpName = "FILE",
    };

    /// <summary>The options, in the order of the help.</summary>
    internal IEnumerable<Option> Options => [owner, group, mode, statOverride];

    /// <summary>The first option that was given; null for none.</summary>
    internal Option? Given(CommandResult result) => Options.FirstOrDefault(option => result.GetResult(option) is not null);

    /// <summary>What is to be changed; null for nothing. Throws <see cref="UsageException"/> for what is no number and no mode.</summary>
    internal MetadataChanges? Read(Session session)
    {
        if (Options.All(option => session.Get((Option<string?>)option) is null))
        {
            return null;
        }

        var changes = new MetadataChanges
        {
            Owner = Number(session, owner),
            Group = Number(session, group),
            Mode = session.Get(mode) is { } text
                ? ModeChange.TryParse(text) ?? throw new UsageException($"--mode: '{text}' is no mode; write 'go-w', 'u=rwX,go=rX' or 0755")
                : null,
        };
        if (session.Get(statOverride) is { } file)
        {
            changes.AddOverrides(file, OpenPath.Text(file).Split('\n'));
        }

        return changes;
    }

    private static uint? Number(Session session, Option<string?> option) => session.Get(option) is not { } text ? null
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number != FileMetadata.NoOwner ? number
        : throw new UsageException($"{option.Name}: '{text}' is no number of a user or group; root is 0");
}
